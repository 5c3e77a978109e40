/** A line over the last hour. */

import { drawing, element, setState, setText } from "../base/dom.js";
import { clock } from "../base/format.js";

const width = 600;
const height = 100;

export class Plot {
  #now = element("strong");
  #top = element("span");
  #from = element("span");
  #to = element("span");
  #line = drawing("path", { class: "line" });
  #area = drawing("path", { class: "area" });
  #image;
  #label;
  #format;
  #maximum;

  /**
   * @param format Writes a value.
   * @param maximum The greatest value there can be, where there is one.
   */
  constructor(label, format, maximum = null) {
    this.#label = label;
    this.#format = format;
    this.#maximum = maximum;
    this.#image = drawing("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      drawing("path", { class: "grid", d: `M0 ${height / 2}H${width}` }), this.#area, this.#line);
    this.element = element("div", { class: "plot card" },
      element("div", { class: "plot-head" }, element("span", {}, `${label} `, this.#now), this.#top),
      this.#image,
      element("div", { class: "plot-foot" }, this.#from, this.#to));
  }

  /** @param points `[at, value | null]`, the oldest first. */
  update(points) {
    const known = points.filter(([, value]) => typeof value === "number" && Number.isFinite(value));
    if (known.length === 0) {
      setText(this.#now, "not known yet");
      return;
    }
    const values = known.map(([, value]) => value);
    const peak = values.reduce((left, right) => Math.max(left, right), 0);
    const top = this.#maximum ?? Math.max(peak * 1.1, 1e-9);
    const first = points[0][0];
    const last = points[points.length - 1][0];
    const x = (at) => last === first ? width : ((at - first) / (last - first)) * width;
    const y = (value) => height - 2 - Math.min(1, value / top) * (height - 4);
    setState(this.#line, "d", linePath(points, x, y));
    setState(this.#area, "d", areaPath(points, x, y));
    setText(this.#now, this.#format(values[values.length - 1]));
    setText(this.#top, `at most ${this.#format(peak)}`);
    setText(this.#from, clock(first));
    setText(this.#to, clock(last));
    setState(this.#image, "aria-label",
      `${this.#label} from ${clock(first)} to ${clock(last)}: now ${this.#format(values[values.length - 1])}, at most ${this.#format(peak)}`);
  }
}

/** Runs of points between those without a value. */
export function runs(points) {
  const result = [];
  let run = [];
  for (const point of points) {
    if (typeof point[1] === "number" && Number.isFinite(point[1])) run.push(point);
    else if (run.length > 0) {
      result.push(run);
      run = [];
    }
  }
  if (run.length > 0) result.push(run);
  return result;
}

function linePath(points, x, y) {
  return runs(points).map((run) => `M${run.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`).join("");
}

function areaPath(points, x, y) {
  return runs(points).map((run) => {
    const line = run.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    return `M${x(run[0][0]).toFixed(1)} ${height}L${line}L${x(run[run.length - 1][0]).toFixed(1)} ${height}Z`;
  }).join("");
}

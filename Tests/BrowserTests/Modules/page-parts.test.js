import { KeyedList, element } from "../script/base/dom.js";
import { bytes, clock, count, duration, percent, shortDuration, unknown } from "../script/base/format.js";
import { path, query } from "../script/base/api.js";
import { Plot, runs } from "../script/components/plot.js";
import { ApplicationSection } from "../script/components/application-section.js";
import { rollout } from "../script/components/rollout.js";
import { withHistory } from "../script/events/history.js";
import { equal, test } from "./harness.js";

test("numbers and times as people read them", () => {
  equal([bytes(0), bytes(1023), bytes(1536), bytes(5 << 20), bytes(null)], ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", unknown]);
  equal([duration(5), duration(125), duration(7260), duration(90_061), duration(undefined)], ["5 s", "2 min 5 s", "2 h 1 min", "1 d 1 h", unknown]);
  equal([shortDuration(0.44), shortDuration(75)], ["0.4 s", "1 min 15 s"]);
  equal([count(1234567), percent(12.34), percent(12.34, 1), percent(NaN)], ["1,234,567", "12 %", "12.3 %", unknown]);
  equal([clock("nonsense"), clock(null)], [unknown, unknown]);
});

test("whatever stands in an address is escaped", () => {
  equal(path("apps", "a/../b?c", "x"), "apps/a%2F..%2Fb%3Fc/x");
  equal(query({ app: "a&b=c", instance: null, line: "" }), "?app=a%26b%3Dc");
  equal(query({}), "");
});

test("a list changes in place, and keeps the focus", () => {
  const container = document.createElement("div");
  document.body.append(container);
  const list = new KeyedList(container, (item) => item.key, (item) => {
    const node = element("button", {}, item.key);
    return { element: node, update: (next) => { node.dataset.text = next.text; } };
  });
  const keys = () => [...container.children].map((child) => `${child.textContent}${child.dataset.text}`);
  list.update([{ key: "a", text: 1 }, { key: "b", text: 1 }, { key: "c", text: 1 }]);
  const [, second] = container.children;
  second.focus();
  list.update([{ key: "a", text: 2 }, { key: "b", text: 2 }, { key: "c", text: 2 }]);
  equal(document.activeElement === second, true);
  list.update([{ key: "b", text: 3 }, { key: "d", text: 3 }]);
  equal(keys(), ["b3", "d3"]);
  equal(document.activeElement === second, true);
  list.update([{ key: "d", text: 4 }, { key: "b", text: 4 }]);
  equal(keys(), ["d4", "b4"]);
  list.update([]);
  equal(container.children.length, 0);
});

test("a listener is a function, never text", () => {
  const node = element("a", { href: "x", hidden: false, title: null, "aria-label": "<b>" });
  equal([...node.attributes].map((entry) => `${entry.name}=${entry.value}`), ["href=x", "aria-label=<b>"]);
});

test("a plot has gaps where nothing was measured", () => {
  equal(runs([[1, 1], [2, null], [3, 3], [4, 4]]), [[[1, 1]], [[3, 3], [4, 4]]]);
  const plot = new Plot("Memory", (value) => `${value} B`);
  plot.update([]);
  plot.update([[1, 10], [2, null], [3, 30]]);
  equal(plot.element.querySelector(".line").getAttribute("d").match(/M/g).length, 2);
  equal(plot.element.querySelector("svg").getAttribute("aria-label").endsWith("now 30 B, at most 30 B"), true);
});

const versions = { history: [{ instance: 1, version: "2", outcome: "succeeded", kind: "hot_upgrade", duration_seconds: 0.5 }] };

function instance(number, version, status, more = {}) {
  return { instance: number, version, status, ...more };
}

test("a rollout is a step for each instance", () => {
  const app = { target_version: "2", instances: [
    instance(1, "2", "running"), instance(2, "2", "starting", { reason: "nodedown" }), instance(3, "1", "running"), instance(4, "1", "idle", { stopped_by_operator: true }),
  ] };
  const { isGoing, steps } = rollout(app, versions);
  equal(isGoing, true);
  equal(steps.map((step) => [step.state, step.title, step.text]), [
    ["done", "Instance 1 runs 2", "hot upgrade in 0.5 s"], ["working", "Instance 2 is starting 2", "nodedown"],
    ["waiting", "Instance 3 still runs 1", "waits for its turn: instances change one after the other"],
  ]);
});

test("the instance that is being changed shows its phases, and one that was how long they took", () => {
  const steps = [{ phase: "staging", seconds: 2.14 }, { phase: "awaiting_ready", seconds: 3 }];
  const app = {
    target_version: "2", instances: [instance(1, "1", "starting", { reason: "nodedown" })],
    rollout: { instance: 1, version: "2", phase: "awaiting_ready", seconds: 5, seconds_left: 30, steps },
  };
  equal(rollout(app, null).steps.map((step) => [step.state, step.title, step.text]), [
    ["working", "Instance 1 goes to 2: becoming ready", "unpacking 2.1 s, becoming ready 3.0 s, 30.0 s left · nodedown"],
  ]);
  const done = { target_version: "2", instances: [instance(1, "2", "running")] };
  const history = { history: [{ ...versions.history[0], steps }] };
  equal(rollout(done, history).steps[0].text, "hot upgrade in 0.5 s: unpacking 2.1 s, becoming ready 3.0 s");
});

test("a package that is being fetched shows how far it has come", () => {
  const going = { instance: 1, version: "2", phase: "staging", seconds: 5, steps: [], fetched_bytes: 36700160 };
  const text = (more) => rollout({
    target_version: "2", instances: [instance(1, "1", "running")], rollout: { ...going, ...more },
  }, null).steps[0].text;
  equal(text({ package_bytes: 125829120 }), "35.0 MiB of 120 MiB fetched");
  equal(text({ package_bytes: null }), "35.0 MiB fetched");
  equal(text({ fetched_bytes: null }), "");
});

test("a version that is unpacked for all instances shows for how many it is", () => {
  const going = { instance: 3, version: "2", phase: "staging", seconds: 5, steps: [], instances_staged: 2, instances_to_stage: 3 };
  const app = { target_version: "2", instances: [instance(3, "1", "running")], rollout: going };
  equal(rollout(app, null).steps[0].text, "2 of 3 instances unpacked");
});

test("what holds a rollout up is what the instances wait for", () => {
  const app = { target_version: "2", problem: "the package of 2 is missing", instances: [instance(1, "1", "running")] };
  equal(rollout(app, null).steps.map((step) => [step.state, step.text]), [["waiting", "the package of 2 is missing"]]);
});

test("when all run the target, no rollout goes on", () => {
  equal(rollout({ target_version: "2", instances: [instance(1, "2", "running")] }, versions).isGoing, false);
  equal(rollout({ target_version: null, instances: [] }, null), { isGoing: false, isFailed: false, steps: [] });
});

test("a failure is shown with its reason", () => {
  const failed = { history: [{ instance: 1, version: "3", outcome: "failed" }] };
  equal(rollout({ target_version: "2", instances: [instance(1, "2", "running")] }, failed).isFailed, true);
  const [step] = rollout({ target_version: "2", instances: [instance(1, "2", "unresponsive", { reason: "wrong cookie" })] }, null).steps;
  equal([step.state, step.text], ["failed", "wrong cookie"]);
});

test("a failed version shows its reason and the last lines", () => {
  const section = new ApplicationSection({ session: { isAdministrator: false } }, "counter");
  section.updateVersions({
    history: [{ instance: 1, version: "3", outcome: "failed", reason: "not ready" }],
    ghosted: [{ version: "3", log_lines: ["\u001b[31mboom\u001b[0m <b>", "end"] }],
  });
  section.update({ app: { name: "counter", target_version: "2", instances: [instance(1, "2", "running", { otp: "off" })] }, at: Date.now(), usesTLS: false });
  const part = section.element.querySelector(".rollout");
  equal([part.hidden, part.querySelector("h3").textContent, part.querySelector("li").textContent], [false, "The last change failed", "Instance 1: 3 failednot ready"]);
  equal(part.querySelector("pre").textContent, "boom <b>\nend\n");
  equal(part.querySelector("a").getAttribute("href"), "versions?app=counter&version=3");
  // When it has run well since, nothing is shown.
  section.updateVersions({ history: [{ instance: 1, version: "2", outcome: "succeeded" }], ghosted: [] });
  equal([part.hidden, part.querySelector("pre")], [true, null]);
});

test("a history goes on, and the whole replaces it", () => {
  equal(withHistory(null, { history: [[1, 1]] }).history, [[1, 1]]);
  equal(withHistory({ history: [[1, 1], [2, 2]] }, { history: [[3, 3]] }).history, [[1, 1], [2, 2], [3, 3]]);
  equal(withHistory({ history: [[1, 1], [2, 2]] }, { history: [[2, 5], [3, 3]] }).history, [[1, 1], [2, 5], [3, 3]]);
  equal(withHistory({ history: [[1, 1]] }, { history: [] }).history, [[1, 1]]);
  equal(withHistory({ history: [[1, 1]] }, { error: "gone" }), { error: "gone" });
  const long = withHistory({ history: Array.from({ length: 720 }, (_, at) => [at]) }, { history: [[720]] }).history;
  equal([long.length, long[0], long.at(-1)], [720, [1], [720]]);
});

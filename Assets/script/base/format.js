/** Numbers and times as people read them. What is unknown is a dash. */

export const unknown = "–";

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(count) {
  if (!isNumber(count)) return unknown;
  let value = Math.abs(count);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${count < 0 ? "-" : ""}${value.toFixed(digits)} ${units[unit]}`;
}

export function count(number) {
  return isNumber(number) ? Math.round(number).toLocaleString("en") : unknown;
}

export function percent(number, digits = 0) {
  return isNumber(number) ? `${number.toFixed(digits)} %` : unknown;
}

/** "3 d 4 h", "4 h 12 min", "12 min 5 s", "5 s" */
export function duration(seconds) {
  if (!isNumber(seconds)) return unknown;
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${whole % 60} s`;
  return `${whole} s`;
}

/** How long something took: with a decimal while it is short. */
export function shortDuration(seconds) {
  if (!isNumber(seconds)) return unknown;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

/**
 * A moment as the interface gives it.
 * @param at Seconds since 1970, or ISO 8601.
 * @returns {Date | null}
 */
export function moment(at) {
  const date = typeof at === "number" ? new Date(at * 1000) : typeof at === "string" ? new Date(at) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
}

/** "14:03:22", of this day or another. */
export function clock(at) {
  const date = moment(at);
  return date ? [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":") : unknown;
}

/** "2026-11-30 14:03:22" */
export function dateAndClock(at) {
  const date = moment(at);
  if (!date) return unknown;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

export function isToday(at) {
  return moment(at)?.toDateString() === new Date().toDateString();
}

function two(number) {
  return String(number).padStart(2, "0");
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

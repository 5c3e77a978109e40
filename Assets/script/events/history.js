/** Figures with a history: later events tell only what is new in it. */

const limit = 720;

/** The event's data with the history that was known before. */
export function withHistory(before, data) {
  if (!Array.isArray(data.history) || !Array.isArray(before?.history)) return data;
  const first = data.history[0]?.[0] ?? Infinity;
  const earlier = before.history.filter(([at]) => at < first);
  return { ...data, history: [...earlier, ...data.history].slice(-limit) };
}

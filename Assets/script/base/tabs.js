/** What the tabs of one browser say to each other. Only pages of this very origin hear it. */

import { root } from "./api.js";

/** This tab's name among them. */
export const ownName = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const scope = `deployex ${root.pathname}`;

/** A channel to the other tabs. */
export function channel(name) {
  return new BroadcastChannel(`${scope} ${name}`);
}

/** Web Locks exist only where the browser thinks the connection secure: HTTPS or loopback. */
export const locks = navigator.locks ?? null;

export function lockName(name) {
  return `${scope} ${name}`;
}

/** Held as long as this tab lives: who asks for it too learns when the tab is gone. */
export function holdOwnLock() {
  return new Promise((held) => {
    if (!locks) return held();
    locks.request(lockName(`tab ${ownName}`), () => {
      held();
      return new Promise(() => {});
    });
  });
}

/** Waits until that tab is gone. */
export async function whenGone(tab, signal) {
  if (!locks) return;
  await locks.request(lockName(`tab ${tab}`), { signal }, () => {});
}

/** Whether another tab of this dashboard is open, as far as that can be known. */
export async function areOthersOpen() {
  if (!locks) return true;
  const { held = [] } = await locks.query();
  return held.some((lock) => lock.name.startsWith(lockName("tab ")) && lock.name !== lockName(`tab ${ownName}`));
}

/** How far the deployment of an application's target version is: a step for each instance. */

import { deploymentName } from "./instance-card.js";
import { shortDuration } from "../base/format.js";

/**
 * @param app As in the status.
 * @param versions The same application in the versions, where they are known.
 * @returns {{isGoing: boolean, isFailed: boolean, steps: object[]}}
 */
export function rollout(app, versions) {
  const target = app.target_version;
  const wanted = (app.instances ?? []).filter((instance) => !instance.stopped_by_operator);
  if (!target) return { isGoing: false, isFailed: false, steps: [] };
  const steps = wanted.map((instance) => step(instance, app, lastOutcome(versions, instance.instance)));
  const failed = lastOfAll(versions)?.outcome === "failed";
  return { isGoing: steps.some((entry) => entry.state !== "done"), isFailed: failed, steps };
}

function step(instance, { target_version: target, problem }, outcome) {
  const key = String(instance.instance);
  const name = `Instance ${key}`;
  const hasTarget = instance.version === target;
  if (hasTarget && instance.status === "running") {
    const how = outcome?.version === target && outcome.outcome === "succeeded"
      ? `${deploymentName(outcome.kind)} in ${shortDuration(outcome.duration_seconds)}` : "";
    return { key, state: "done", title: `${name} runs ${target}`, text: how };
  }
  if (["failed", "unresponsive", "backoff"].includes(instance.status)) {
    return { key, state: "failed", title: `${name} (${instance.version ?? "no version"}) is ${instance.status}`, text: instance.reason ?? "" };
  }
  if (["starting", "stopping"].includes(instance.status)) {
    return { key, state: "working", title: `${name} is ${instance.status} ${instance.version ?? ""}`, text: instance.reason ?? "" };
  }
  return {
    key, state: "waiting", title: instance.version ? `${name} still runs ${instance.version}` : `${name} runs nothing`,
    text: instance.reason ?? problem ?? "waits for its turn: instances change one after the other",
  };
}

export function lastOutcome(versions, number) {
  return versions?.history?.findLast((outcome) => outcome.instance === number) ?? null;
}

function lastOfAll(versions) {
  return versions?.history?.at(-1) ?? null;
}

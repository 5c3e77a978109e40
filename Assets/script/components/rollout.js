/** How far the deployment of an application's target version is: a step for each instance. */

import { deploymentName } from "./instance-card.js";
import { bytes, shortDuration } from "../base/format.js";

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

const phaseNames = {
  staging: "unpacking", waiting: "waiting for others", preparing: "pre-commands", stopping: "stopping", moving: "changing folders",
  upgrading: "hot upgrade", awaiting_ready: "becoming ready",
};

function phaseName(phase) {
  return phaseNames[phase] ?? phase;
}

/** "unpacking 2.1 s, stopping 0.3 s" */
export function phases(steps) {
  return (steps ?? []).map((step) => `${phaseName(step.phase)} ${shortDuration(step.seconds)}`).join(", ");
}

/** "1 of 3 instances unpacked", while the package is unpacked for all that need it. */
function staged({ instances_staged: count, instances_to_stage: total }) {
  return typeof count === "number" && typeof total === "number" ? `${count} of ${total} instances unpacked` : "";
}

/** "35.0 MiB of 120.0 MiB fetched", while a package is. */
function fetched({ fetched_bytes: count, package_bytes: total }) {
  if (typeof count !== "number") return "";
  return `${bytes(count)}${typeof total === "number" ? ` of ${bytes(total)}` : ""} fetched`;
}

function step(instance, app, outcome) {
  const { target_version: target, problem } = app;
  const key = String(instance.instance);
  const name = `Instance ${key}`;
  const going = app.rollout?.instance === instance.instance ? app.rollout : null;
  if (going) {
    const left = typeof going.seconds_left === "number" ? `, ${shortDuration(going.seconds_left)} left` : "";
    return {
      key, state: "working", title: `${name} goes to ${going.version}: ${phaseName(going.phase)}`,
      text: [phases(going.steps) + left, staged(going), fetched(going), instance.reason].filter(Boolean).join(" · "),
    };
  }
  const hasTarget = instance.version === target;
  if (hasTarget && instance.status === "running") {
    const how = outcome?.version === target && outcome.outcome === "succeeded"
      ? [`${deploymentName(outcome.kind)} in ${shortDuration(outcome.duration_seconds)}`, phases(outcome.steps)].filter(Boolean).join(": ") : "";
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

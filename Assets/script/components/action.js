/** A button that makes deployex do something. It stays where it is and keeps the focus meanwhile. */

import { element, setState } from "../base/dom.js";
import { confirm } from "./dialog.js";

/**
 * @param label What the button says.
 * @param name What it is called for those who do not see its place: "Restart instance 1 of counter".
 * @param question If something is to be asked before: see `confirm`.
 * @param run Does it; its answer's text is shown.
 */
export function actionButton(context, { label, name, className, question, run }) {
  let isBusy = false;
  const button = element("button", { type: "button", class: className, "aria-label": name }, label);
  button.addEventListener("click", async () => {
    if (isBusy || button.getAttribute("aria-disabled") === "true") return;
    const asked = typeof question === "function" ? question() : question;
    if (asked && !(await confirm(asked))) return;
    isBusy = true;
    setState(button, "aria-busy", true);
    try {
      const answer = await run();
      context.toasts.done(answer?.text ?? "done");
    } catch (error) {
      context.toasts.failed(error.isMissing && error.content === null ? "this deployex cannot do that" : error.message);
    } finally {
      isBusy = false;
      setState(button, "aria-busy", null);
    }
  });
  return button;
}

/** Dialogs of the browser's own kind: it keeps the focus inside, and gives it back afterwards. */

import { element } from "../base/dom.js";

let count = 0;

/** Asks before something is done. @returns {Promise<boolean>} */
export function confirm({ title, text, action, isDangerous = false }) {
  return new Promise((resolve) => {
    const close = (answer) => {
      dialog.close();
      resolve(answer);
    };
    const cancel = element("button", { type: "button", autofocus: true, onclick: () => close(false) }, "Cancel");
    const go = element("button", { type: "button", class: isDangerous ? "danger" : "primary", onclick: () => close(true) }, action);
    const dialog = opened(title, [
      element("p", {}, ...[text].flat()),
      element("div", { class: "actions" }, cancel, go),
    ]);
    dialog.addEventListener("cancel", () => resolve(false));
  });
}

/** Shows something until it is closed. @returns {HTMLDialogElement} */
export function show(title, content) {
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const dialog = opened(title, [content, element("div", { class: "actions" }, close)], "wide");
  return dialog;
}

function opened(title, content, className) {
  count += 1;
  const id = `dialog-${count}`;
  const dialog = element("dialog", { class: className, "aria-labelledby": id }, element("h2", { id }, ...[title].flat()), ...content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The dashboard: who is it, which page, and what is live. */

import { API } from "./base/api.js";
import { element } from "./base/dom.js";
import { Router, place } from "./base/router.js";
import { Session } from "./base/session.js";
import { holdOwnLock } from "./base/tabs.js";
import { Frame } from "./components/frame.js";
import { Toasts } from "./components/toast.js";
import { Live } from "./events/live.js";

/** Each page is loaded when it is first shown. */
const pages = {
  "": ["applications", () => import("./pages/applications.js")],
  applications: ["applications", () => import("./pages/applications.js")],
  login: ["applications", () => import("./pages/applications.js")],
  logs: ["logs", () => import("./pages/logs.js")],
  versions: ["versions", () => import("./pages/versions.js")],
  node: ["node", () => import("./pages/node.js")],
  terminal: ["terminal", () => import("./pages/terminal.js")],
};

const main = document.getElementById("main");
const api = new API();
const session = new Session(api);
const live = new Live(api);
const toasts = new Toasts(document.getElementById("toasts"));
const context = { api, session, live, toasts, router: null };

let frame = null;
let current = null;
let turn = 0;

start();

async function start() {
  const link = takeLink();
  await holdOwnLock();
  session.onChange = () => location.reload();
  try {
    if (link !== null) await logInByLink(link);
    else if (!(await session.resume())) return await showLogin();
  } catch (error) {
    return showTrouble(error);
  }
  showFrame();
}

/** The link's secret leaves the address at once, so that no history and no picture shows it. */
function takeLink() {
  const url = new URL(location.href);
  if (place(url).name !== "login") return null;
  const link = decodeURIComponent(url.search.slice(1));
  history.replaceState(null, "", new URL("./", url));
  return link === "" ? null : link;
}

async function logInByLink(link) {
  try {
    await session.begin({ link });
  } catch (error) {
    if (error.status !== 401) throw error;
    await showLogin("This link is not valid any more: it works once, for ten minutes.");
  }
}

async function showLogin(message = null) {
  const { Login } = await import("./pages/login.js");
  await new Promise((resolve) => {
    const page = new Login(context, message, resolve);
    document.title = page.title;
    main.replaceChildren(page.element);
    page.begin();
  });
  showFrame();
}

function showTrouble(error) {
  main.replaceChildren(element("h1", {}, "deployex does not answer"), element("p", { role: "alert" }, error.message),
    element("button", { type: "button", onclick: () => location.reload() }, "Try again"));
}

function showFrame() {
  if (frame) return;
  frame = new Frame(document.getElementById("bar"), document.getElementById("banner"), session, logOut);
  live.onState = (state) => frame.connection(state, () => live.hurry());
  live.start();
  context.router = new Router(Object.keys(pages), showPage);
  context.router.refresh();
}

async function logOut() {
  try {
    await session.end();
  } catch (error) {
    toasts.failed(error.message);
  }
}

async function showPage(address, parameters) {
  const [name, load] = pages[address] ?? ["missing", () => import("./pages/missing.js")];
  frame.mark(name);
  if (current?.name === name && current.page.change) {
    current.page.change(parameters);
    return;
  }
  turn += 1;
  const own = turn;
  const { Page } = await load();
  // Another page was asked for meanwhile.
  if (own !== turn) return;
  const isFirst = current === null;
  current?.page.close();
  const page = new Page(context, parameters);
  current = { name, page };
  document.title = `${page.title} – deployex`;
  main.replaceChildren(page.element);
  if (!isFirst) {
    window.scrollTo(0, 0);
    main.focus();
  }
}

/**
 * What can be used by keyboard and has no name, ids that occur twice, and headings that leave a level out.
 * @returns {string[]}
 */
const failures = [];
const seen = new Set();
for (const node of document.querySelectorAll("[id]")) {
  if (seen.has(node.id)) failures.push(`two elements have the id ${node.id}`);
  seen.add(node.id);
}
let level = 0;
for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4)")) {
  if (!heading.checkVisibility()) continue;
  const own = Number(heading.localName[1]);
  if (own > level + 1) failures.push(`after h${level} comes h${own} "${heading.textContent}"`);
  level = own;
}
if (document.querySelectorAll("h1").length !== 1) failures.push("a page has one h1");
if (document.documentElement.lang === "") failures.push("the page has no language");
if (document.title === "") failures.push("the page has no title");
for (const node of document.querySelectorAll("[style]")) {
  // Widths and colours that follow from numbers are set by the style object; text in the page is not.
  if (/url|expression/.test(node.getAttribute("style"))) failures.push("an element has a foreign style");
}
for (const node of document.querySelectorAll("script")) {
  if (!node.src) failures.push("there is an inline script");
}
return failures;

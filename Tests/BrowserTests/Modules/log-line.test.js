import { lineLimit, lineNodes, plainText, stretches } from "../script/text/line.js";
import { plain, paletteColour, styled } from "../script/text/sgr.js";
import { foreignLink, shortened, visible } from "../script/text/visible.js";
import { equal, test } from "./harness.js";

/** Each stretch with what differs from plain text. */
function parts(text) {
  return stretches(text).parts.map((part) => [
    part.text, Object.fromEntries(Object.entries(part.style).filter(([name, value]) => value !== plain[name])),
  ]);
}

test("colours and marks", () => {
  equal(parts("a\u001b[31mb\u001b[1;44mc\u001b[0md"), [
    ["a", {}], ["b", { foreground: 1 }], ["c", { foreground: 1, background: 4, bold: true }], ["d", {}],
  ]);
  equal(parts("\u001b[93ma\u001b[mb\u001b[107mc"), [["a", { foreground: 11 }], ["b", {}], ["c", { background: 15 }]]);
  equal(parts("\u001b[3;4;7;9ma\u001b[23;24;27;29mb"), [["a", { italic: true, underline: true, inverse: true, struck: true }], ["b", {}]]);
});

test("256 and true colours, with semicolons and colons", () => {
  equal(parts("\u001b[38;5;196ma"), [["a", { foreground: 196 }]]);
  equal(parts("\u001b[38;2;1;2;255;1ma"), [["a", { foreground: "#0102ff", bold: true }]]);
  equal(parts("\u001b[48:2::1:2:255ma"), [["a", { background: "#0102ff" }]]);
  equal(parts("\u001b[38:5:3;4ma"), [["a", { foreground: 3, underline: true }]]);
  equal(parts("\u001b[38;5;300ma\u001b[38;2;999;0;0mb"), [["a", {}], ["b", {}]]);
  equal([paletteColour(16), paletteColour(196), paletteColour(231), paletteColour(232), paletteColour(255)],
    ["#000000", "#ff0000", "#ffffff", "#080808", "#eeeeee"]);
});

test("every other escape is left out", () => {
  equal(plainText("a\u001b[2Jb\u001b[10;20Hc\u001b[?25ld\u001b[>1;2me"), "abcde");
  equal(plainText("a\u001b]0;title\u0007b\u001b]8;;http://x\u001b\\c\u001b]8;;\u001b\\d"), "abcd");
  equal(plainText("a\u001bP1$r\u001b\\b\u001b(0c\u001b7d\u001bce"), "abcde");
  equal(plainText("a\u009b31mb\u009dtitle\u009cc"), "abc");
});

test("an unfinished escape shows nothing of itself", () => {
  equal(plainText("a\u001b["), "a");
  equal(plainText("a\u001b[31"), "a");
  equal(plainText("a\u001b]0;title"), "a");
  equal(plainText("a\u001b"), "a");
});

test("an escape inside of another does not hide what follows", () => {
  equal(plainText("a\u001b]0;x\u001b[31mb"), "ab");
});

test("what is invisible or turns directions is shown", () => {
  equal(visible("a\u202egpj.exe"), "a⟨U+202E⟩gpj.exe");
  equal(visible("a\u0000\u0008\u200b\u2066\ufeff\u{e0041}"), "a⟨U+0000⟩⟨U+0008⟩⟨U+200B⟩⟨U+2066⟩⟨U+FEFF⟩⟨U+E0041⟩");
  equal(visible("line\nline\u2028"), "line⟨U+000A⟩line⟨U+2028⟩");
  equal(visible("\ud800x"), "⟨U+D800⟩x");
  equal(visible("tab\there, שלום, 日本語, 👩‍👧"), "tab\there, שלום, 日本語, 👩‍👧");
  equal(shortened("abcdef", 4), "abc…");
});

test("a carriage return shows nothing", () => {
  equal(plainText("10%\r20%\r"), "10%20%");
});

test("markup stays text", () => {
  const line = document.createElement("div");
  line.append(...lineNodes("<img src=x onerror=alert(1)>\u001b[1m<b>bold</b>"));
  equal(line.textContent, "<img src=x onerror=alert(1)><b>bold</b>");
  equal([...line.querySelectorAll("*")].map((node) => [node.localName, node.className]), [["span", "sgr-bold"]]);
});

test("a long line is cut", () => {
  equal(plainText("x".repeat(lineLimit + 5)).endsWith("… (5 more characters)"), true);
});

test("many escapes take no time beyond the line's length", () => {
  equal(plainText("\u001b[".repeat(lineLimit / 2)), "");
  equal(plainText("\u001b]".repeat(lineLimit / 2)), "");
});

test("only web addresses become links", () => {
  equal(foreignLink("http://localhost:4000/").localName, "a");
  for (const address of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "x", null, 5]) {
    equal(foreignLink(address).localName, "bdi");
  }
});

test("a style is not changed in place", () => {
  const bold = styled(plain, [[1]]);
  styled(bold, [[31]]);
  equal([bold.foreground, plain.bold], [null, false]);
});

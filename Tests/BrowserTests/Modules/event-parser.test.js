import { EventParser } from "../script/events/parser.js";
import { Backoff } from "../script/events/stream.js";
import { equal, test } from "./harness.js";

function all(...pieces) {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece)).map(({ name, data }) => [name, data]);
}

test("an event has a name and data", () => {
  equal(all("event: status\ndata: {}\n\n"), [["status", "{}"]]);
});

test("an event without a name is a message", () => {
  equal(all("data: x\n\n"), [["message", "x"]]);
});

test("lines of data are joined", () => {
  equal(all("data: a\ndata: b\ndata\n\n"), [["message", "a\nb\n"]]);
});

test("comments and unknown fields are left out", () => {
  equal(all(":\n\n: hello\nretry: 5\nfoo: bar\ndata: x\n\n"), [["message", "x"]]);
});

test("only one space after the colon is left out", () => {
  equal(all("data:  x\n\n", "data:y\n\n"), [["message", " x"], ["message", "y"]]);
});

test("an event without data is none", () => {
  equal(all("event: a\n\ndata: x\n\n"), [["message", "x"]]);
});

test("each line end is understood, wherever the pieces end", () => {
  const text = "event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n";
  const expected = [["a", "1"], ["b", "2"], ["c", "3"]];
  equal(all(text), expected);
  for (let place = 1; place < text.length; place += 1) equal(all(text.slice(0, place), text.slice(place)), expected);
  equal(all(...text), expected);
});

test("an unfinished event waits", () => {
  equal(all("data: x\n"), []);
  equal(all("data: x\n", "\n"), [["message", "x"]]);
});

test("the id stays until there is another one", () => {
  const parser = new EventParser();
  equal(parser.push("id: 7\ndata: a\n\ndata: b\n\nid: x\0y\ndata: c\n\n").map((event) => event.id), ["7", "7", "7"]);
});

test("an endless event is refused", () => {
  const parser = new EventParser();
  let isRefused = false;
  try {
    for (let index = 0; index < 20; index += 1) parser.push(`data: ${"x".repeat(1 << 20)}\n`);
  } catch {
    isRefused = true;
  }
  equal(isRefused, true);
});

test("the delay doubles up to its bound, and begins anew", () => {
  const backoff = new Backoff(500, 15_000);
  equal(Array.from({ length: 7 }, () => backoff.next(1)), [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  backoff.reset();
  equal(backoff.next(0), 250);
});

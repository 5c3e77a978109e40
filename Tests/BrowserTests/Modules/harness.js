/** Tests of the dashboard's modules, in a browser. Each file registers its own; `run` runs them. */

const tests = [];

export function test(name, body) {
  tests.push({ name, body });
}

/** @returns {Promise<{count: number, failures: string[]}>} */
export async function run() {
  const failures = [];
  for (const { name, body } of tests) {
    try {
      await body();
    } catch (error) {
      failures.push(`${name}: ${error.message}`);
    }
  }
  return { count: tests.length, failures };
}

export function equal(found, expected) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${left} is not ${right}`);
}

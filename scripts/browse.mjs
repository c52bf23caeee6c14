// A browser on strings: Chromium without a window, told line by line what a person would do.
//
// Each line on stdin is a JSON list, each answer on stdout one JSON value. Windows are private: each
// has its own cookies. What a page complains about in its console is kept for "complaints".

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const packages = createRequire(`${process.env.CLAW_NODE_PACKAGES}/`);
const { default: puppeteer } = await import(packages.resolve("puppeteer-core"));

const PATIENCE_MS = 30_000;

const browser = await puppeteer.launch({
  executablePath: process.env.CLAW_CHROMIUM,
  // Inside a container there is no sandbox to be had, and little shared memory; the pages are ours.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
const windows = new Map();

async function open(name, url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 1100, height: 620 });
  const complaints = [];
  page.on("console", (said) => {
    if (["error", "warn"].includes(said.type())) complaints.push(said.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  windows.set(name, { page, complaints });
  await page.goto(url, { waitUntil: "load" });
}

// Waits until an element says exactly this; how long that took, in milliseconds.
async function says(name, selector, text) {
  const { page } = windows.get(name);
  const started = performance.now();
  const wanted = (selector, text) => document.querySelector(selector)?.textContent.trim() === text;
  await page
    .waitForFunction(wanted, { polling: "mutation", timeout: PATIENCE_MS }, selector, text)
    .catch(async (error) => {
      const body = await page.evaluate(() => document.body.innerText);
      throw new Error(`${selector} does not come to say ${text}: ${error.message}\n${body}`);
    });
  return performance.now() - started;
}

// Waits until one of the elements says one of these; which.
async function saysAny(name, selector, texts) {
  const said = (selector, texts) =>
    [...document.querySelectorAll(selector)]
      .map((found) => found.textContent.trim())
      .find((text) => texts.includes(text));
  const { page } = windows.get(name);
  const options = { polling: "mutation", timeout: PATIENCE_MS };
  const found = await page.waitForFunction(said, options, selector, texts).catch(async (error) => {
    const body = await page.evaluate(() => document.body.innerText);
    throw new Error(`${selector} says none of ${texts}: ${error.message}\n${body}`);
  });
  return found.jsonValue();
}

const verbs = {
  open,
  says,
  saysAny,
  click: (name, selector) => windows.get(name).page.click(selector),
  clickAll: (names, selector) => Promise.all(names.map((name) => verbs.click(name, selector))),
  text: (name, selector) => windows.get(name).page.$eval(selector, (found) => found.textContent.trim()),
  reload: (name) => windows.get(name).page.reload({ waitUntil: "load" }),
  shot: (name, path) => windows.get(name).page.screenshot({ path }).then(() => path),
  complaints: async (name) => windows.get(name).complaints,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...words] = JSON.parse(line);
  const answer = await verbs[verb](...words).then(
    (done) => ({ done: done ?? null }),
    (error) => ({ failed: String(error) }),
  );
  console.log(JSON.stringify(answer));
}
await browser.close();

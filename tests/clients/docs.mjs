// Reads /docs as a person would, in a browser that reaches nothing but this machine, and says what it saw.
//   node docs.mjs URL [FOLDER for pictures]
import { chromium } from "playwright-core";

const PATIENCE_MS = 120000; // with a busy machine
const [url, folder] = process.argv.slice(2);
const said = { console: [], foreign: [], widths: {} };
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  timeout: PATIENCE_MS,
});

async function open(options, path = "/docs") {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => { if (message.type() !== "log") said.console.push(message.text()); });
  page.on("pageerror", (error) => said.console.push(error.message));
  await page.route("**/*", (route) => {
    if (new URL(route.request().url()).origin === new URL(url).origin) return route.continue();
    said.foreign.push(route.request().url());
    return route.abort();
  });
  await page.goto(url + path);
  return page;
}

async function whole(options, path) {
  const page = await open(options, path);
  await page.waitForSelector("body[data-ready]");
  return page;
}

const picture = (page, name) => (folder ? page.screenshot({ path: `${folder}/${name}.png` }) : null);
const visible = (page) => page.locator("article:visible").evaluateAll((all) => all.map((one) => one.id));

try {
  const desk = await whole({ viewport: { width: 1280, height: 900 } });
  said.all = await visible(desk);
  said.endpoint = await desk.locator("#get-v1-tasks-task-id").innerText();
  said.submission = await desk.locator("#post-v1-images-generations pre").innerText();
  await picture(desk, "desk");

  await desk.keyboard.press("/");
  await desk.keyboard.type("local-image");
  said.found = await visible(desk);
  said.status = await desk.locator("#found").innerText();
  await picture(desk, "search");
  await desk.keyboard.press("Enter");
  await desk.waitForSelector("#model-local-image details[open]");
  said.model = await desk.locator("#model-local-image").innerText();
  await picture(desk, "model");
  await desk.locator("#search").fill("nothing is called so");
  said.nothing = [await visible(desk), await desk.locator("#found").innerText()];
  await desk.locator("#search").press("Escape");
  said.again = (await visible(desk)).length;
  said.titles = await desk.title();

  const phone = await whole({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  for (const element of await phone.locator("details").all()) await element.evaluate((one) => { one.open = true; });
  said.widths.phone = await phone.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  await picture(phone, "phone");
  await phone.click("#menu");
  said.menu = await phone.locator("#side").isVisible();
  await picture(phone, "menu");
  await phone.locator('#side a[href="#get-v1-tasks-task-id"]').click();
  said.closed = !(await phone.locator("#side").isVisible());

  const plain = await open({ viewport: { width: 800, height: 900 }, javaScriptEnabled: false });
  said.plain = await plain.locator("main li").allInnerTexts();
  said.link = await plain.locator('main a[href="/openapi.json"]').count();
  await picture(plain, "plain");
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(said) + "\n");

// Every method of the official JavaScript SDK, against a local server: node sdk.mjs URL TOKEN CURRENT_KEY NEXT_KEY
// Prints a line of JSON: the methods that were called. Anything that is not as it should be ends it with an error.

import assert from "node:assert/strict";
import http from "node:http";
import { Client, Receiver } from "@upstash/qstash";

const [baseUrl, token, currentSigningKey, nextSigningKey] = process.argv.slice(2);
const receiver = new Receiver({ currentSigningKey, nextSigningKey });
const called = new Set();
const seen = [];

// Notes which methods of a part of the client are called.
const watch = (name, part) =>
  new Proxy(part, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...given) => {
        called.add(`${name}.${String(key)}`);
        return value.apply(target, given);
      };
    },
  });

const destination = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    const body = Buffer.concat(parts).toString();
    const url = `http://127.0.0.1:${destination.address().port}${request.url}`;
    try {
      await receiver.verify({ signature: request.headers["upstash-signature"], body, url });
      seen.push({ method: request.method, path: request.url, headers: request.headers, body });
    } catch (error) {
      seen.push({ path: request.url, error });
    }
    response.statusCode = request.url.startsWith("/fails") ? 500 : 200;
    response.end("answer");
  });
});

const until = async (what, found) => {
  for (let waited = 0; waited < 10_000; waited += 20) {
    const value = await found();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited in vain: ${what}`);
};
const arrived = (path) => until(path, () => seen.find((one) => one.path === path));

await new Promise((resolve) => destination.listen(0, "127.0.0.1", resolve));
const url = (path) => `http://127.0.0.1:${destination.address().port}${path}`;

const whole = new Client({ baseUrl, token, retry: false });
const client = watch("client", whole);
const [messages, dlq, schedules, urlGroups, flowControl] = [
  ["messages", whole.messages],
  ["dlq", whole.dlq],
  ["schedules", whole.schedules],
  ["urlGroups", whole.urlGroups],
  ["flowControl", whole.flowControl],
].map(([name, part]) => watch(name, part));
const queue = watch("queue", client.queue({ queueName: "slow" }));

// publish
const published = await client.publish({ url: url("/text"), body: "hello", method: "PUT", headers: { "X-Mine": "1" } });
const text = await arrived("/text");
assert.deepEqual([text.method, text.body, text.headers["x-mine"]], ["PUT", "hello", "1"]);
assert.equal(text.headers["upstash-message-id"], published.messageId);
await client.publishJSON({ url: url("/json"), body: { a: 1 }, callback: url("/callback"), label: ["red", "blue"] });
assert.equal((await arrived("/json")).body, '{"a":1}');
assert.equal(JSON.parse((await arrived("/callback")).body).status, 200);
const once = { url: url("/once"), body: "1", deduplicationId: "once" };
const [first, second] = [await client.publish(once), await client.publish(once)];
assert.deepEqual([second.messageId, second.deduplicated], [first.messageId, true]);

// URL groups
await urlGroups.addEndpoints({ name: "group", endpoints: [{ url: url("/one"), name: "one" }, { url: url("/two") }] });
assert.deepEqual((await urlGroups.get("group")).endpoints.map((one) => one.url), [url("/one"), url("/two")]);
assert.equal((await urlGroups.list()).length, 1);
const both = await client.publishJSON({ urlGroup: "group", body: { a: 2 } });
assert.deepEqual(both.map((one) => one.url), [url("/one"), url("/two")]);
await arrived("/one");
assert.equal((await arrived("/two")).headers["upstash-topic-name"], "group");

// batches
const batch = await client.batch([{ url: url("/batch"), body: "x" }, { urlGroup: "group", body: "y" }]);
assert.deepEqual([typeof batch[0].messageId, batch[1].length], ["string", 2]);
await client.batchJSON([{ url: url("/batch-json"), body: { b: 1 } }, { queueName: "slow", url: url("/batch-queue") }]);
assert.equal((await arrived("/batch-json")).body, '{"b":1}');
await arrived("/batch-queue");
await urlGroups.removeEndpoints({ name: "group", endpoints: [{ name: "one" }] });
await urlGroups.delete("group");
assert.deepEqual(await urlGroups.list(), []);

// queues
await queue.upsert({ parallelism: 2 });
await queue.pause();
await queue.enqueue({ url: url("/queue"), body: "q" });
await queue.enqueueJSON({ url: url("/queue-json"), body: { q: 1 } });
const held = await queue.get();
assert.deepEqual([held.name, held.parallelism, held.paused, held.lag], ["slow", 2, true, 2]);
assert.equal((await queue.list()).length, 1);

// messages
const waiting = [];
for (let number = 0; number < 8; number += 1) {
  waiting.push((await queue.enqueue({ url: url(`/waits-${number}`), label: "waits" })).messageId);
}
const message = await messages.get(waiting[0]);
assert.deepEqual([message.url, message.queueName, message.labels], [url("/waits-0"), "slow", ["waits"]]);
assert.equal((await messages.cancel(waiting[0])).cancelled, 1);
assert.equal((await messages.cancel([waiting[0], waiting[1]])).cancelled, 1);
await messages.delete(waiting[2]);
assert.equal(await messages.deleteMany([waiting[3]]), 1);
assert.equal((await messages.cancel({ filter: { label: "waits", url: url("/waits-4") } })).cancelled, 1);
assert.equal((await messages.cancel({ filter: { label: ["none", "waits"], host: "127.0.0.1" } })).cancelled, 3);
await queue.resume();
await arrived("/queue");
assert.equal((await arrived("/queue-json")).body, '{"q":1}');
await queue.pause();
await queue.enqueue({ url: url("/last") });
assert.equal((await messages.cancel({ all: true })).cancelled, 1);
await queue.enqueue({ url: url("/last") });
assert.equal(await messages.deleteAll(), 1);
await queue.delete();
assert.deepEqual(await queue.list(), []);
assert.equal(seen.some((one) => one.path.startsWith("/waits")), false);

// dead letters
const fail = (path, label) => client.publish({ url: url(path), retries: 0, label, failureCallback: url("/failure") });
for (let number = 0; number < 7; number += 1) await fail(`/fails-${number}`, number < 4 ? "early" : "late");
await until("dead letters", async () => (await dlq.listMessages()).messages.length === 7);
assert.equal(JSON.parse((await arrived("/failure")).body).status, 500);
const { messages: letters, cursor } = await dlq.listMessages({ count: 3 });
assert.deepEqual([letters.length, letters[0].responseStatus, letters[0].responseBody], [3, 500, "answer"]);
assert.equal((await dlq.listMessages({ cursor })).messages.length, 4);
assert.equal((await dlq.listMessages({ filter: { label: "early", responseStatus: 500 } })).messages.length, 4);
assert.equal((await dlq.listMessages({ dlqIds: [letters[0].dlqId] })).messages.length, 1);
assert.equal((await dlq.delete(letters[0].dlqId)).deleted, 1);
assert.equal((await dlq.deleteMany({ dlqIds: [letters[1].dlqId] })).deleted, 1);
assert.equal((await dlq.delete({ filter: { label: "late" } })).deleted, 1);
const early = (await dlq.listMessages()).messages;
assert.equal(early.length, 4);
assert.equal((await dlq.retry(early[0].dlqId)).responses.length, 1);
assert.equal((await dlq.retry([early[1].dlqId, early[2].dlqId])).responses.length, 2);
assert.equal((await dlq.retry({ filter: { url: early[3].url } })).responses.length, 1);
await until("dead letters again", async () => (await dlq.listMessages()).messages.length === 4);
assert.equal((await dlq.delete({ all: true })).deleted, 4);

// schedules
const { scheduleId } = await schedules.create({
  destination: url("/scheduled"),
  cron: "* * * * *",
  body: '{"s":1}',
  scheduleId: "nightly",
  queueName: "other",
  label: ["one", "two"],
  flowControl: { key: "api", rate: 3, period: "1m" },
});
assert.equal(scheduleId, "nightly");
const schedule = await schedules.get("nightly");
assert.deepEqual(
  [schedule.cron, schedule.destination, schedule.queueName, schedule.body, schedule.labels, schedule.rate],
  ["* * * * *", url("/scheduled"), "other", '{"s":1}', ["one", "two"], 3],
);
await schedules.pause({ schedule: "nightly" });
assert.equal((await schedules.get("nightly")).isPaused, true);
await schedules.resume({ schedule: "nightly" });
assert.equal((await schedules.list())[0].isPaused, false);
await schedules.delete("nightly");
assert.deepEqual(await schedules.list(), []);

// flow control
await flowControl.pause("key");
const limited = { url: url("/limited"), flowControl: { key: "key", rate: 5, parallelism: 2, period: "1m" } };
await client.publish(limited);
await until("the wait list", async () => (await flowControl.get("key")).waitListSize === 1);
await flowControl.pin("key", { parallelism: 1, rate: 9, period: 30 });
const pinned = await flowControl.get("key");
assert.deepEqual([pinned.parallelismMax, pinned.rateMax, pinned.ratePeriod, pinned.isPaused], [1, 9, 30, true]);
await flowControl.unpin("key", { parallelism: true, rate: true });
assert.equal((await flowControl.get("key")).isPinnedRate, false);
await flowControl.resetRate("key");
await flowControl.resume("key");
await arrived("/limited");
assert.equal(typeof (await flowControl.getGlobalParallelism()).parallelismCount, "number");

// log
const logged = await until("the log", async () => {
  const page = await client.logs({ filter: { messageId: published.messageId } });
  return page.logs.length === 3 && page;
});
assert.deepEqual(logged.logs.map((one) => one.state), ["DELIVERED", "ACTIVE", "CREATED"]);
assert.equal((await client.events({ filter: { label: "red", state: "DELIVERED" } })).events.length, 1);
assert.equal((await client.logs({ count: 2 })).logs.length, 2);

assert.deepEqual(seen.filter((one) => one.error), []);

// What was not called, of all that the client has, and of its parts, which are what its getters give.
const members = (value) => {
  const found = [];
  for (let kind = Object.getPrototypeOf(value); kind !== Object.prototype; kind = Object.getPrototypeOf(kind)) {
    found.push(...Object.entries(Object.getOwnPropertyDescriptors(kind)));
  }
  return found.filter(([key]) => key !== "constructor");
};
const parts = new Map([["client", whole], ["queue", whole.queue({ queueName: "slow" })]]);
for (const [key, { get }] of members(whole)) {
  // An alias, such as the older `topics` for `urlGroups`, is no part of its own.
  const kinds = [...parts.values()].map(Object.getPrototypeOf);
  if (get && !kinds.includes(Object.getPrototypeOf(whole[key]))) parts.set(key, whole[key]);
}
const all = [...parts].flatMap(([name, part]) =>
  members(part).filter(([, { value }]) => typeof value === "function").map(([key]) => `${name}.${key}`));
const uncalled = all.filter((one) => !called.has(one));
process.stdout.write(JSON.stringify({ called: [...called].sort(), uncalled, deliveries: seen.length }));
destination.close();
destination.closeAllConnections();

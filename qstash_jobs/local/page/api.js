// Requests to the server that gave this page, with the token of the user who is looked at.

const KEY = "qstash-token";

export const session = { token: "", known: [] };

/** Find a token: the one behind `#token=`, the one of before, or the first that everybody knows. */
export async function findToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    sessionStorage.setItem(KEY, decodeURIComponent(given[1]));
    history.replaceState(null, "", "#/messages");
  }
  session.known = await (await fetch("/page/tokens")).json();
  session.token = sessionStorage.getItem(KEY) ?? session.known[0] ?? "";
}

export function useToken(token) {
  session.token = token;
  sessionStorage.setItem(KEY, token);
}

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Ask; a refusal is thrown with the server's own words. */
export async function ask(method, path, { headers = {}, body, signal } = {}) {
  const answer = await fetch(path, {
    method,
    body,
    signal,
    cache: "no-store",
    headers: { ...headers, Authorization: `Bearer ${session.token}` },
  });
  const text = await answer.text();
  const value = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Refused(answer.status, value?.error ?? `status ${answer.status}`);
  return value;
}

/** Write a path whose last parts are names of somebody's. */
export function path(start, ...names) {
  return [start, ...names.map(encodeURIComponent)].join("/");
}

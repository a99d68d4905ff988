// How the page asks the server: one function, `ask`. Keys, busy servers and lost connections are handled here, so that
// a view sees an answer or a Problem whose message is a sentence. Knows no view.

const KEY = "gemel-key";
const TRIES = 4;
const LONGEST_WAIT = 30;
const KNOCK = 3000;

/** What the page as a whole must know: "waiting", "working", "lost", "found", and another "key". */
export const events = new EventTarget();

/** The key, for as long as this tab lives. */
export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

/** Something the server, or this page in its place, could not do. */
export class Problem extends Error {
  /** `status` is that of HTTP, 0 where nothing answered; `items` names those concerned: {name, row, field, reason}. */
  constructor(message, { status = 0, type = "", items = [] } = {}) {
    super(message);
    Object.assign(this, { status, type, items });
  }
}

let wanted = async () => null;
let largest = Infinity;

/** Who is asked for a key when the server wants one: called with a sentence, resolves to a key or to null. */
export function keysFrom(asker) {
  let open = null;
  wanted = (reason) => (open ??= asker(reason).finally(() => (open = null)));
}

/** The largest request that the server takes, in bytes. */
export function bound(bytes) {
  largest = bytes || Infinity;
}

/** How large a request with this body would be, in bytes. */
export const size = (body) => new Blob([JSON.stringify(body)]).size;

/** GET, or POST where there is a body; resolves to the answer. Rejects with a Problem, or an AbortError by `signal`. */
export async function ask(path, { method, body, signal } = {}) {
  const content = body === undefined ? undefined : new Blob([JSON.stringify(body)], { type: "application/json" });
  if (content && content.size > largest) {
    throw new Problem(
      `This is ${megabytes(content.size)} to send, and the server takes ${megabytes(largest)} at once.`,
      { status: 413 },
    );
  }
  for (let attempt = 1; ; attempt += 1) {
    const used = key.get();
    const answer = await sent(path, { method: method ?? (content ? "POST" : "GET"), body: content, signal }, used);
    if (answer.ok) {
      events.dispatchEvent(new Event("working"));
      return answer.status === 204 ? null : answer.json();
    }
    const problem = await problemOf(answer);
    if (answer.status === 401 && (await another(used, problem))) continue;
    if (answer.status !== 429 || attempt > TRIES) {
      events.dispatchEvent(new Event("working"));
      throw problem;
    }
    await patience(answer, attempt, signal);
  }
}

async function sent(path, how, used) {
  try {
    const headers = used ? { Authorization: `Bearer ${used}` } : {};
    return await fetch(path, { ...how, headers, credentials: "omit", cache: "no-store", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    lost();
    throw new Problem("The server does not answer. It may have stopped, or the network is down.");
  }
}

async function problemOf(answer) {
  const said = await answer.json().catch(() => ({}));
  const message = said.detail || said.title || `The server answered ${answer.status} ${answer.statusText}.`;
  return new Problem(message, { status: answer.status, type: said.type, items: said.items });
}

/** Whether there is another key to try: one that was given meanwhile, or is given now. */
async function another(used, problem) {
  if (key.get() !== used) return true;
  const given = await wanted(used ? problem.message : "");
  if (given) {
    key.set(given);
    events.dispatchEvent(new Event("key"));
  }
  return Boolean(given);
}

/** Wait as long as a busy server says, and let people see it. */
async function patience(answer, attempt, signal) {
  const said = Number(answer.headers.get("Retry-After"));
  const seconds = Math.min(LONGEST_WAIT, Math.max(1, Number.isFinite(said) ? said : 1));
  for (let left = Math.ceil(seconds); left > 0; left -= 1) {
    const detail = { seconds: left, attempt, of: TRIES };
    events.dispatchEvent(new CustomEvent("waiting", { detail }));
    await pause(Math.min(left, seconds) * 1000 - (left - 1) * 1000, signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

let knocking = null;

/** Say that nothing answers, and knock until something does. */
function lost() {
  events.dispatchEvent(new Event("lost"));
  knocking ??= setInterval(async () => {
    const answer = await fetch("/readyz", { cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    clearInterval(knocking);
    knocking = null;
    events.dispatchEvent(new Event("found"));
  }, KNOCK);
}

const megabytes = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

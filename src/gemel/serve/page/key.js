// Keys: the dialog that asks for one, who is signed in, and what a key may do. Keeps the key in api.js, for this tab.

import { key, keysFrom } from "./api.js";
import { button, h, labelled, put, unique } from "./dom.js";

const SCOPES = ["read", "write", "admin"];

/** Let the page ask for a key whenever the server wants one. */
export function askForKeys() {
  keysFrom((reason) => {
    const title = unique("key");
    const field = h("input", {
      type: "password",
      autocomplete: "current-password",
      spellcheck: "false",
      required: true,
    });
    const dialog = h("dialog", { "aria-labelledby": title });
    const give = (event) => {
      event.preventDefault();
      dialog.close(field.value.trim());
    };
    put(
      dialog,
      h(
        "form",
        { method: "dialog", submit: give },
        h("h2", { id: title }, "This server asks for a key"),
        reason && h("p", { class: "alarm", role: "alert" }, `That key is not accepted. ${reason}`),
        labelled(
          "API key",
          field,
          "Kept for this tab only, and sent to this server only. Whoever runs the server gives keys.",
        ),
        h(
          "div",
          { class: "actions" },
          button("Not now", () => dialog.close("")),
          h("button", { class: "primary" }, "Use this key"),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
    field.focus();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue || null);
      });
    });
  });
}

/** Who is signed in, and how to sign out; `restart` begins anew without the key. */
export function signedIn(model, restart) {
  if (!model.key) return h("span", { class: "note" }, "No key needed");
  const leave = () => {
    key.clear();
    restart();
  };
  return [
    h("span", { class: "note" }, `${model.key.name} · may ${mayDo(model.key.scope)}`),
    button("Sign out", leave, { class: "plain" }),
  ];
}

const mayDo = (scope) => ({ read: "read", write: "read and enrol", admin: "read, enrol and forget" })[scope] ?? scope;

/** Why an action of a scope is not allowed, as a sentence; empty where it is. */
export function refused(model, scope) {
  if (!model.key || SCOPES.indexOf(model.key.scope) >= SCOPES.indexOf(scope)) return "";
  return `This takes a key with the scope ${scope}; yours has ${model.key.scope}.`;
}

/** Disable a button where the key does not allow what it does, with the reason beside it. */
export function gated(trigger, model, scope) {
  const reason = refused(model, scope);
  if (!reason) return [trigger];
  const note = h("small", { class: "note", id: unique("reason") }, reason);
  trigger.disabled = true;
  trigger.setAttribute("aria-describedby", note.id);
  return [trigger, note];
}

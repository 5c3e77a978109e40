/** The versions, live; from a deployex that does not tell of their changes, asked for when the status changes. */

export class VersionsFeed {
  current = null;
  #context;
  #changed;
  #end;
  #isAsked = false;
  #key = null;

  constructor(context, changed) {
    this.#context = context;
    this.#changed = changed;
    this.#end = context.live.subscribe("versions", {
      event: (versions) => this.#take(versions),
      refused: () => {
        this.#isAsked = true;
        this.#ask();
      },
    });
  }

  /** Something that may have changed the versions. */
  statusChanged(status) {
    const key = JSON.stringify((status.apps ?? []).map((app) => [
      app.name, app.target_version, app.pinned_version, app.ghosted?.length,
      (app.instances ?? []).map((instance) => [instance.version, instance.status]),
    ]));
    if (key === this.#key) return;
    this.#key = key;
    if (this.#isAsked) this.#ask();
  }

  close() {
    this.#end();
  }

  async #ask() {
    try {
      this.#take(await this.#context.api.get("versions"));
    } catch {
      // The next change of the status asks again.
    }
  }

  #take(versions) {
    this.current = versions;
    this.#changed(versions);
  }
}

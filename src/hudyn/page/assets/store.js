// What the parts of the page have in common: which member and which snapshot are shown.

/** Values that can be watched: `store.set({member: 3})` calls what `store.watch(["member"], call)` was given. */
export function makeStore(values) {
  const watchers = [];
  return {
    get: (name) => values[name],
    set(changes) {
      const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      Object.assign(values, changes);
      if (!changed.length) return;
      for (const { names, call } of watchers) if (names.some((name) => changed.includes(name))) call();
    },
    /** Call `call` now, and whenever one of `names` changes. */
    watch(names, call) {
      watchers.push({ names, call });
      call();
    },
  };
}

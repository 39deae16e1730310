// Which weights the page shows: those of the chosen member, at the chosen snapshot of its training.

import { row } from "./arrays.js";

/** The parameters of a member, or of the best one if the member's are not kept, at a snapshot; the last one is the trained network. */
export function weights(networks, member, snapshot) {
  const place = Math.max(0, networks.members.indexOf(member));
  if (!networks.snapshots || snapshot >= networks.updates.length) return row(networks.vectors, place);
  return row(row(networks.snapshots, snapshot), place);
}

/** The parameters that the store's member and snapshot stand for. */
export function chosenWeights(networks, store) {
  return weights(networks, store.get("member"), store.get("snapshot"));
}

// Texts of a language: what a person types, and what its automaton says of it.

/**
 * What of a typed text is in the alphabet: {text, symbols, others}, symbols as indices, others the characters left out.
 * Small and capital letters count as the same where only one of them is in the alphabet; spaces are ignored.
 */
export function encoded(typed, alphabet) {
  const symbols = [];
  const others = new Set();
  for (const character of typed) {
    const place = [character, character.toLowerCase(), character.toUpperCase()]
      .map((candidate) => alphabet.indexOf(candidate))
      .find((index) => index >= 0);
    if (place !== undefined) symbols.push(place);
    else if (character.trim()) others.add(character);
  }
  return { text: symbols.map((symbol) => alphabet[symbol]).join(""), symbols, others: [...others] };
}

/** The word of n of a counting language, as symbols: n · ratio times each. */
export function wordOf(ratios, n) {
  return ratios.flatMap((ratio, symbol) => new Array(ratio * n).fill(symbol));
}

/**
 * Where a text leads in an automaton, with `targets` [states, alphabet], -1 for none: the state before each symbol and
 * after the last, null from the first symbol on that cannot follow.
 */
export function walked(targets, symbols) {
  const size = targets.shape[1];
  const states = [0];
  for (const symbol of symbols) {
    const state = states[states.length - 1];
    const target = state === null ? -1 : targets[state * size + symbol];
    states.push(target < 0 ? null : target);
  }
  return states;
}

/** The same in the automaton that is drawn, which lacks words longer than those of training: there it waits for the next word. */
export function litStates(targets, symbols, states, joined) {
  const size = targets.shape[1];
  const result = [0];
  symbols.forEach((symbol, place) => {
    const before = result[place];
    const target = before === null ? -1 : targets[before * size + symbol];
    const again = joined && states[place + 1] === 0;
    result.push(states[place + 1] === null ? null : again ? 0 : target < 0 ? null : target);
  });
  return result;
}

/** The symbols that may follow in a state. */
export function allowedIn(targets, state) {
  const size = targets.shape[1];
  return Array.from({ length: size }, (_, symbol) => symbol).filter((symbol) => targets[state * size + symbol] >= 0);
}

/** The place of the largest number. */
export function likeliest(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}

/** Words for a list: a; a or b; a, b or c. */
export function either(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

/** A word with its runs as powers: a³b². */
export function withPowers(symbols, alphabet) {
  let result = "";
  for (let place = 0; place < symbols.length; ) {
    let end = place;
    while (symbols[end] === symbols[place]) end++;
    const power = end - place > 1 ? [...String(end - place)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("") : "";
    result += alphabet[symbols[place]] + power;
    place = end;
  }
  return result;
}

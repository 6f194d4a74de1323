/** Prompts of English words whose length varies as asked: the same number always gives the same prompt. */

const WORDS =
  "the customer wrote that parcel came late and box was open but one of two lamps inside worked well so she asks for a new cable or half her money back before friday".split(
    " ",
  );

/** A text of `shortest` to `longest` tokens (about four characters each), by its number. */
export function promptOf(number: number, shortest: number, longest: number): string {
  const tokens = shortest + ((number * 7919) % 1000) * ((longest - shortest) / 999);
  let prompt = `Review ${number}:`;
  for (let at = 0; prompt.length < tokens * 4; at++) prompt += ` ${WORDS[(number + at * 13) % WORDS.length]}`;
  return prompt;
}

/** A rule of the design that did not hold. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(message);
    this.name = "Violation";
    this.rule = rule;
  }
}

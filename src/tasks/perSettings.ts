/**
 * What a task makes of its settings once: a spec's settings are the same object for every item of an invocation, so
 * its templates are parsed once. `make` may throw; then it is called again the next time.
 */
export function perSettings<Settings extends object, Made>(
  make: (settings: Settings) => Made,
): (settings: Settings) => Made {
  const made = new WeakMap<Settings, Made>();
  return (settings) => {
    const known = made.get(settings);
    if (known !== undefined) return known;
    const value = make(settings);
    made.set(settings, value);
    return value;
  };
}

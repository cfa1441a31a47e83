/** The time as state, once a second, so that ages on the screen move together. */

class Clock {
  /** Epoch milliseconds. */
  now = $state(Date.now());

  start(): () => void {
    const timer = setInterval(() => (this.now = Date.now()), 1000);
    return () => clearInterval(timer);
  }
}

export const clock = new Clock();

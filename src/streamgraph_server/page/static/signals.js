// Values that the page is drawn from: setting one draws the page again, once for all that are set in one go.

let draw = () => {};
let asked = false;

/** Say what draws the page. */
export function drawnBy(act) {
  draw = act;
}

export function signal(value) {
  return {
    get value() {
      return value;
    },
    set value(next) {
      if (next === value) return;
      value = next;
      if (asked) return;
      asked = true;
      queueMicrotask(() => {
        asked = false;
        draw();
      });
    },
  };
}

// A component that is drawn again only when one of its properties is another one.

import { Component } from "preact";

export function memo(view) {
  return class extends Component {
    shouldComponentUpdate(next) {
      const before = this.props;
      return Object.keys(next).length !== Object.keys(before).length || Object.keys(next).some((key) => next[key] !== before[key]);
    }

    render(given) {
      return view(given);
    }
  };
}

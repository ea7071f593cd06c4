"""Tables computed a second time, from what their contracts say alone."""

[inputs: ["*.exs", "{config,lib,rel,versions}/**/*.{ex,exs}"]]

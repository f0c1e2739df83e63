{
  description = "hzl, a task ledger for AI agents and the people who work with them";

  # There is no flake.lock: nix writes one at the first use. Rust 1.95 or later has to be in it.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      manifest = builtins.fromTOML (builtins.readFile ./Cargo.toml);
    in
    {
      packages = forEach (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "hzl";
          version = manifest.workspace.package.version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          buildAndTestSubdir = "crates/hzl";
          # The tests fetch real servers from package registries; a build in nix has no network.
          doCheck = false;
          nativeBuildInputs = [ pkgs.installShellFiles ];
          # A tree with changes that are in no commit has no commit to name.
          HZL_BUILD_COMMIT = self.rev or "";
          preBuild = ''
            export SOURCE_DATE_EPOCH=${toString (self.lastModified or "")}
          '';
          postInstall = ''
            export PATH=$out/bin:$PATH
            hzl man --dir man1
            installManPage man1/*.1
            installShellCompletion --cmd hzl \
              --bash <(hzl completions bash) \
              --zsh <(hzl completions zsh) \
              --fish <(hzl completions fish)
          '';
          meta = {
            description = "Task ledger for AI agents and the people who work with them";
            license = pkgs.lib.licenses.mit;
            mainProgram = "hzl";
            platforms = systems;
          };
        };
      });
    };
}

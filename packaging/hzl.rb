# The Homebrew formula. scripts/release fills in what stands between @ signs and puts it into target/dist/hzl.rb.
# It builds from source: one formula for macOS and Linux, for Intel and ARM.
class Hzl < Formula
  desc "Task ledger for AI agents and the people who work with them"
  homepage "@BASE@"
  url "@BASE@/hzl-@VERSION@-source.tar.gz"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "rust" => :build

  def install
    # The archive holds no repository that could be asked.
    ENV["HZL_BUILD_COMMIT"] = "@COMMIT@"
    ENV["SOURCE_DATE_EPOCH"] = "@DATE@"
    system "cargo", "install", *std_cargo_args(path: "crates/hzl")
    # They call hzl by its bare name.
    ENV.prepend_path "PATH", bin
    (bash_completion/"hzl").write Utils.safe_popen_read("hzl", "completions", "bash")
    (zsh_completion/"_hzl").write Utils.safe_popen_read("hzl", "completions", "zsh")
    (fish_completion/"hzl.fish").write Utils.safe_popen_read("hzl", "completions", "fish")
    system "hzl", "man", "--dir", buildpath/"man1"
    man1.install Dir["man1/*.1"]
  end

  test do
    ENV["XDG_DATA_HOME"] = testpath/"data"
    ENV["XDG_CONFIG_HOME"] = testpath/"config"
    assert_equal version.to_s, shell_output("#{bin}/hzl -V").strip
    system bin/"hzl", "task", "add", "A first task"
    assert_match "A first task", shell_output("#{bin}/hzl task list")
  end
end

#!/bin/sh
# Installs hzl for one user, or upgrades it, or removes it again. Never needs root.
#
#   sh install.sh [--prefix DIR] [--version VERSION] [--target TARGET] [--force]
#   sh install.sh --uninstall [--prefix DIR]
#
# HZL_INSTALL_BASE is the address of a directory with SHA256SUMS and the archives named in it (https://…, file://…,
# or http:// on this machine). It has to be set: hzl has no published release yet.
#
# TARGET is that of this machine unless given. Below DIR, which is ~/.local unless given, it puts bin/hzl, man pages, completions for bash, zsh, fish and
# PowerShell, and a list of what it has put there (share/doc/hzl/installed-files). An archive whose checksum is not
# the one in SHA256SUMS is not unpacked. The program is replaced by a rename: who runs hzl at that moment has the
# old one or the new one. Tasks and settings are never touched.
#
# POSIX sh; needs tar, gzip, curl or wget (not for file://), and sha256sum, shasum or openssl.
set -eu

list_path=share/doc/hzl/installed-files

say() {
  printf '%s\n' "$*"
}

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

usage() {
  say 'sh install.sh [--prefix DIR] [--version VERSION] [--target TARGET] [--force]
sh install.sh --uninstall [--prefix DIR]

HZL_INSTALL_BASE is the address of a directory with SHA256SUMS and the archives.'
}

# fetch NAME FILE: gets one file from the base address.
fetch() {
  case $base in
  file://*)
    cp "${base#file://}/$1" "$2" || fail "there is no ${base#file://}/$1"
    return
    ;;
  https://*) ;;
  http://localhost | http://localhost[:/]* | http://127.0.0.1 | http://127.0.0.1[:/]*) ;;
  http://*) fail "$base: http is for this machine only, anybody on the way could change what it brings; use https" ;;
  *) fail "$base is not an address that starts with https:// or file://" ;;
  esac
  if has curl; then
    curl --proto '=https,http' --proto-redir '=https' -fsSL -o "$2" "$base/$1" || fail "$base/$1 cannot be downloaded"
  elif has wget; then
    wget -q -O "$2" "$base/$1" || fail "$base/$1 cannot be downloaded"
  else
    fail 'neither curl nor wget is installed'
  fi
}

# sum_of FILE: its SHA-256.
sum_of() {
  if has sha256sum; then
    sha256sum "$1" | cut -d' ' -f1
  elif has shasum; then
    shasum -a 256 "$1" | cut -d' ' -f1
  elif has openssl; then
    openssl dgst -sha256 "$1" | sed 's/.* //'
  else
    fail 'none of sha256sum, shasum and openssl is installed, so the archive cannot be verified'
  fi
}

# find_target: the target whose binary runs here.
find_target() {
  system=$(uname -s) machine=$(uname -m)
  case $machine in
  x86_64 | amd64) machine=x86_64 ;;
  aarch64 | arm64) machine=aarch64 ;;
  esac
  case $system in
  Linux) target=$machine-unknown-linux-musl ;;
  Darwin) target=$machine-apple-darwin ;;
  *) fail "there is no archive of hzl for $system; it can be built with: cargo install --locked --path crates/hzl" ;;
  esac
}

# find_archive: its name, version and checksum, from SHA256SUMS.
find_archive() {
  fetch SHA256SUMS "$work/SHA256SUMS"
  awk -v target="$target" -v version="$version" '
    $2 ~ ("^hzl-[0-9]+[.][0-9]+[.][0-9]+-" target "[.]tar[.]gz$") {
      if (version == "" || index($2, "hzl-" version "-") == 1) print $1, $2
    }' "$work/SHA256SUMS" >"$work/found"
  case $(wc -l <"$work/found" | tr -d ' ') in
  0) fail "$base has no archive of hzl ${version:+$version }for $target" ;;
  1) ;;
  *) fail "$base has several versions of hzl: choose one with --version" ;;
  esac
  read -r wanted archive <"$work/found"
  version=${archive#hzl-}
  version=${version%"-$target.tar.gz"}
}

# place FILE PATH MODE: puts a file of the archive below the prefix, whole or not at all, and lists it.
place() {
  mkdir -p "$(dirname "$prefix/$2")"
  [ ! -d "$prefix/$2" ] || fail "$prefix/$2 is a directory"
  chmod "$3" "$1"
  mv -f "$1" "$prefix/$2"
  [ ! -f "$work/list" ] || say "$2" >>"$work/list"
}

is_listed() {
  [ -f "$prefix/$list_path" ] && grep -qxF "$1" "$prefix/$list_path"
}

install_hzl() {
  [ -n "${HZL_INSTALL_BASE:-}" ] ||
    fail 'hzl has no published release yet: set HZL_INSTALL_BASE to the directory that scripts/release has made (file://…/target/dist)'
  base=${HZL_INSTALL_BASE%/}
  for tool in tar gzip awk uname mktemp; do
    has "$tool" || fail "$tool is not installed"
  done
  [ -n "$target" ] || find_target

  mkdir -p "$prefix"
  # Below the prefix, so that everything is put in place by a rename.
  work=$(mktemp -d "$prefix/.hzl-install.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM

  find_archive
  if [ -e "$prefix/bin/hzl" ] || [ -L "$prefix/bin/hzl" ]; then
    is_listed bin/hzl || [ "$force" = yes ] ||
      fail "$prefix/bin/hzl is there, and this script has not installed it; --force replaces it"
  fi
  fetch "$archive" "$work/$archive"
  found=$(sum_of "$work/$archive")
  [ "$found" = "$wanted" ] ||
    fail "$archive is not the file that SHA256SUMS names: its SHA-256 is $found, not $wanted; nothing was changed"

  gzip -dc "$work/$archive" | tar -xf - -C "$work" || fail "$archive cannot be unpacked; nothing was changed"
  new=$work/${archive%.tar.gz}
  runs=$("$new/hzl" -V) || fail "the hzl in $archive does not run on this machine; nothing was changed"
  [ "$runs" = "$version" ] || fail "the hzl in $archive says that it is $runs; nothing was changed"
  old=
  if [ -f "$prefix/bin/hzl" ]; then old=$("$prefix/bin/hzl" -V 2>/dev/null) || old=unknown; fi

  : >"$work/list"
  for page in "$new"/man/man1/*.1; do
    place "$page" "share/man/man1/${page##*/}" 644
  done
  place "$new/completions/hzl.bash" share/bash-completion/completions/hzl 644
  place "$new/completions/_hzl" share/zsh/site-functions/_hzl 644
  place "$new/completions/hzl.fish" share/fish/vendor_completions.d/hzl.fish 644
  place "$new/completions/hzl.ps1" share/doc/hzl/hzl.ps1 644
  for file in LICENSE README.md CHANGELOG.md; do
    place "$new/$file" "share/doc/hzl/$file" 644
  done
  # What only the old version had.
  if [ -f "$prefix/$list_path" ]; then
    printf '%s\n' bin/hzl "$list_path" | cat "$work/list" - >"$work/keep"
    grep -vxFf "$work/keep" "$prefix/$list_path" >"$work/gone" || :
    remove_listed "$work/gone"
  fi
  # The list first: an interrupted installation can then be repeated, or removed.
  printf '%s\n' bin/hzl "$list_path" >>"$work/list"
  mv -f "$work/list" "$prefix/$list_path"
  place "$new/hzl" bin/hzl 755

  case $old in
  '') say "hzl $version is installed: $prefix/bin/hzl" ;;
  "$version") say "hzl $version is installed again: $prefix/bin/hzl" ;;
  *) say "hzl $old is now hzl $version: $prefix/bin/hzl" ;;
  esac
  say "checked: $wanted  $archive"
  say "man pages and completions: $prefix/share; PowerShell: add the text of $prefix/share/doc/hzl/hzl.ps1 to your profile"
  case :${PATH:-}: in
  *":$prefix/bin:"*)
    first=$(command -v hzl 2>/dev/null) || first=
    case $first in
    "$prefix/bin/hzl" | '') ;;
    *) say "note: your shell finds another hzl first: $first" ;;
    esac
    ;;
  *) say "note: $prefix/bin is not in your PATH; add it with: export PATH=\"$prefix/bin:\$PATH\"" ;;
  esac
}

# remove_listed LIST: removes the files it names, and directories below share that are empty then.
remove_listed() {
  while IFS= read -r path; do
    case /$path/ in
    //* | */../*) fail "$1 names $path, which this script has not put there" ;;
    esac
    rm -f "$prefix/$path"
  done <"$1"
  rmdir "$prefix/share/doc/hzl" 2>/dev/null || :
}

uninstall_hzl() {
  [ -f "$prefix/$list_path" ] || fail "this script has installed no hzl below $prefix: there is no $prefix/$list_path"
  # It lists itself: it is read to its end all the same.
  remove_listed "$prefix/$list_path"
  say "hzl is removed from $prefix"
  say "your tasks and settings are kept: ${XDG_DATA_HOME:-$HOME/.local/share}/hzl and ${XDG_CONFIG_HOME:-$HOME/.config}/hzl"
}

main() {
  prefix='' version='' target='' force=no wanted_act=install_hzl
  while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --version | --target)
      [ $# -gt 1 ] || fail "$1 wants a value"
      case $1 in
      --prefix) prefix=$2 ;;
      --version) version=$2 ;;
      --target) target=$2 ;;
      esac
      shift
      ;;
    --force) force=yes ;;
    --uninstall) wanted_act=uninstall_hzl ;;
    -h | --help)
      usage
      return
      ;;
    *) fail "what is $1? --help says what there is" ;;
    esac
    shift
  done
  prefix=${prefix:-${HOME:?}/.local}
  case $prefix in
  /*) ;;
  *) prefix=$PWD/$prefix ;;
  esac
  umask 022
  "$wanted_act"
}

# At the end: a script that arrived by half does nothing.
main "$@"

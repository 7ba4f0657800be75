#!/usr/bin/env bash
# Makes a root tree of Debian's i386 programs in the folder that I386_ROOT names, or that is given: about 80 MB to fetch, 300 MB unpacked.
# apt resolves the packages against an empty status file, so that nothing of the host counts as installed, and nothing is
# installed: the packages are only unpacked. What is there already is used again. Needs: apt-get, dpkg-deb, i386 as a foreign
# architecture (dpkg --add-architecture i386; apt-get update).
set -euo pipefail

root=${1:-${I386_ROOT:?name the folder}}
packages='bash bc binutils busybox coreutils cpp-12 dash diffutils findutils gawk gdb grep gzip libc6 libc6-dev
  lua5.4 make mawk openssl perl-base python3.11 sed sqlite3 strace tar xz-utils'

mkdir -p "$root"
root=$(cd "$root" && pwd)
mark=$root/.packages
if [ -e "$mark" ] && [ "$(cat "$mark")" = "$packages" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/status"
apt-get -o Dir::State::status="$work/status" -o Debug::NoLocking=1 -o APT::Architecture=i386 -o APT::Architectures=i386 \
  --no-install-recommends --print-uris -qq -y install $packages |
  awk '$2 ~ /_all\.deb$/ { split($2, a, "_"); print a[1] } $2 ~ /_i386\.deb$/ { split($2, a, "_"); print a[1] ":i386" }' >"$work/list"
# apt fetches as a user of its own, who may not enter a private folder.
(cd "$work" && xargs apt-get -o APT::Sandbox::User=root -qq download <"$work/list")
# Merged /usr, as Debian 12 has it: packages still bring /bin and /lib.
mkdir -p "$root"/usr/{bin,sbin,lib} "$root"/{dev,etc,proc,root,sys,tmp,run,var}
for name in bin sbin lib; do ln -sfn usr/$name "$root/$name"; done
for package in "$work"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --no-same-owner \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
done
# What the packages' own scripts would do.
ln -sfn mawk "$root/usr/bin/awk"
ln -sfn dash "$root/usr/bin/sh"
ln -sfn python3.11 "$root/usr/bin/python3"
chroot "$root" /usr/bin/python3.11 -m compileall -qq /usr/lib/python3.11 /usr/share/gdb/python || true
printf 'root:x:0:0:root:/root:/bin/bash\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
printf '%s' "$packages" >"$mark"

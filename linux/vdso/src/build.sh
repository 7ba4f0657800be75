#!/bin/sh
# build.sh [DIR]: builds the three vDSO images into DIR, linux/vdso/ by default. Needs gcc and binutils with -m32 and -mx32 (Debian: gcc-multilib).
# Linux: arch/x86/entry/vdso/Makefile.
set -eu
out=$(realpath "${1:-$(dirname "$0")/..}")
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# build NAME EMULATION SONAME DEFINE SOURCES... -- with $flags as the ABI
build() {
	name=$1 emulation=$2 soname=$3 define=$4
	shift 4
	objects=
	for source; do
		object=$tmp/$name-$source.o
		gcc $flags -O2 -fPIC -ffreestanding -fno-stack-protector -fno-common -fcf-protection=none -fomit-frame-pointer \
			-fasynchronous-unwind-tables -fno-ident -fno-strict-aliasing -mno-sse -mno-mmx -Wall -Wextra -c "$source" -o "$object"
		objects="$objects $object"
	done
	cpp -P -undef -D"$define" vdso.lds.S >"$tmp/$name.lds"
	ld -m "$emulation" -shared -Bsymbolic --hash-style=both --eh-frame-hdr --build-id=none --discard-all \
		-z max-page-size=4096 -z noexecstack -z norelro -soname "$soname" --no-warn-rwx-segments \
		-T "$tmp/$name.lds" $objects -o "$tmp/$name.so"
	objcopy --strip-debug --discard-all "$tmp/$name.so" "$out/$name.so"
	chmod 644 "$out/$name.so"
	if objdump -R "$out/$name.so" | grep -q R_; then
		echo "$name: a vDSO must not need relocation" >&2
		exit 1
	fi
}

flags='-m64 -mcmodel=small' build vdso64 elf_x86_64 linux-vdso.so.1 VDSO64 vclock.c note.S
flags=-mx32 build vdsox32 elf32_x86_64 linux-vdso.so.1 VDSOX32 vclock.c note.S
flags='-m32 -march=i586 -mregparm=0' build vdso32 elf_i386 linux-gate.so.1 VDSO32 vdso32.S vclock.c note.S

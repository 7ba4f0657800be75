#!/bin/sh
# Builds the restorer blob, restorer.elf, and the C header of its arguments, here or into the directory $1.
# Needs gcc and binutils for x86-64.
set -eu
out=$(realpath "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

node --import tsx header.ts >"$tmp/task-restore-args.h"
cp "$tmp/task-restore-args.h" "$out/task-restore-args.h"
for source in restorer.c tail.S; do
	gcc -m64 -Og -g -gdwarf-4 -fdebug-prefix-map="$PWD"=criu/restorer -gno-record-gcc-switches -fPIE -ffreestanding -nostdlib -mno-red-zone \
		-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-ident \
		-fno-jump-tables -fno-tree-loop-distribute-patterns -Wall -Wextra -Wno-unused-parameter -c "$source" -o "$tmp/$source.o"
done
ld -m elf_x86_64 -T restorer.lds --build-id=none -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
	"$tmp/restorer.c.o" "$tmp/tail.S.o" -o "$tmp/restorer.elf"
if readelf -r "$tmp/restorer.elf" | grep -q R_X86; then
	echo 'the restorer must not need relocation' >&2
	exit 1
fi
objcopy --compress-debug-sections=none "$tmp/restorer.elf" "$out/restorer.elf"
chmod 644 "$out/restorer.elf"

/** A program of Debian: what it is given, natively and in the machine. What it prints and how it ends must be the same. */
export interface Row {
  /** Starts with the name of the program. */
  readonly name: string;
  /** The first is looked for in /usr/bin unless it is a path. */
  readonly args: readonly string[];
  readonly input?: string;
  /** Files of the working directory, which is fresh. */
  readonly files?: Readonly<Record<string, string>>;
  /** Without this the row is run for both. */
  readonly only?: 'amd64' | 'i386';
  /** stderr has addresses or times in it. */
  readonly ignoreStderr?: boolean;
  /** Needs /proc on both sides: a native i386 program has it only where the test may mount. */
  readonly proc?: boolean;
}

const BASH = `
shopt -s extglob nullglob
trap 'echo bye $?' EXIT
trap 'echo got usr1' USR1
f() { local x=$1; (( x <= 1 )) && { echo 1; return; }; echo $(( x * $(f $((x-1))) )); }
echo fact $(f 4)
cat <<X | tr a-z A-Z | sed 's/O/0/g'
hello $((2**40)) world
X
declare -A m=([x]=1 [y]=2); echo \${m[x]} \${m[y]}
kill -USR1 $$
echo $(( (17*31) % 7 )) $((0xff ^ 0x0f)) $((-7/2)) $((1<<62))
[[ foobar =~ ^foo(b.)r$ ]] && echo match \${BASH_REMATCH[1]}
(sleep 0.2; echo background) & wait $!
false | (exit 4) | true; echo \${PIPESTATUS[@]}
yes | head -2
coproc cat; echo x >&\${COPROC[1]}; read -u \${COPROC[0]} z; echo co $z
printf '%.3f %e %q\\n' 3.14159 12345.678 'a b'
touch a1 a2 b1; echo @(a|b)[12] none*; echo {a..e..2}{1,2}
read -r -t 1 line <<<"here string"; echo "$line"
exec 5>&1; echo to five >&5; exec 5>&-; echo closed >&5; echo $?
exit 3`;

const JOBS = `
set -m
sleep 100 & jobs
kill -STOP %1; wait %1; echo stopped $?
jobs
bg %1; kill %1; wait %1; echo $?
(trap '' INT; kill -INT $BASHPID; echo ignored) & wait
sleep 0.1 & sleep 0.2 & wait -n; echo first $?; jobs | wc -l; wait
{ sleep 0.1; exit 7; } & fg %1 >/dev/null; echo fg $?
disown -a; jobs`;

const BASH_PROC = `
while read -r a b; do echo "$b-$a"; done < <(printf '1 2\\n3 4\\n')
diff <(echo same; echo left) <(echo same; echo right); echo $?
tee >(cat >&2) <<<x >/dev/null; sleep 0.1`;

const DASH = `
trap 'echo bye' EXIT
i=0; while [ $i -lt 20 ]; do i=$((i+1)); done; echo $i
cat <<X
$(echo nested | cat) \`expr 3 \\* 7\`
X
(trap 'echo term; exit 4' TERM; kill -TERM $(sh -c 'echo $PPID'); sleep 1); echo $?
sh -c 'kill -SEGV $$' 2>/dev/null; echo $?
x=\${UNSET:-def}; echo \${x%f}
set -- 'a b' c; for x in "$@"; do echo "[$x]"; done; echo $#
umask
exit 9`;

const AWK = `{ s += $1; c[$2] += $3; if (length($4) > m) m = length($4) }
END {
  printf "%d %d %.4f\\n", s, m, exp(log(s) / 3) + sin(1)
  for (i = 0; i < 13; i++) print i, c["word" i]
  print substr("hello", 2, 3), sqrt(2), 2 ^ 0.5, atan2(1, -1), int(-3.7)
  while (("echo a; echo b" | getline line) > 0) print "piped", line
  print toupper("x") | "cat"; close("cat"); print system("exit 3")
}`;

const GAWK = `BEGIN { PROCINFO["sorted_in"] = "@ind_str_asc" }
{ n[$2]++; gsub(/foo_/, "<&>", $4); if (match($4, /_([0-9]+)/, g)) t += g[1] }
END { for (w in n) print w, n[w]; print t, strtonum("0x1f"), and(12, 10), gensub(/(a)(b)/, "\\\\2\\\\1", "g", "abab"); printf "%c %5.2f %'d\\n", 65, 3.14159, 1234567 }`;

const PERL = `
my @w = "The quick brown fox" =~ /(\\b\\w+?o\\w*)/g; print "@w\\n";
(my $u = "the quick") =~ s/(\\w+)/\\u\\L$1/g; print "$u\\n";
printf "%e %g %.17g %.15g %a %b %X\\n", 1/3, 1e-5, 0.1, 1e23, 0.1, 10, 48879;
print join(" ", 2**0.5, exp(1), log(10), sin(1e10), atan2(1, 2), 1e308 * 10, 10 % -3, ~0, ~0 + 1), "\\n";
my $s = 0; $s += 1 / $_ for 1..1000; print "$s\\n";
print unpack("%32C*", "abc" x 100), "\\n";
my $pid = fork; exit 7 if !$pid; waitpid $pid, 0; print $? >> 8, "\\n";
open my $p, "-|", "echo from a pipe; exit 2" or die; print <$p>; close $p; print $? >> 8, "\\n";
$SIG{ALRM} = sub { print "alarm\\n" }; alarm 1; select undef, undef, undef, 3;
my %h = map { $_ => length } qw(pear fig banana); print join(",", map { "$_=$h{$_}" } sort keys %h), "\\n";
my $r = qr/^(?<y>\\d{4})-(?<m>\\d\\d)(?=-)/; print "$+{y} $+{m}\\n" if "2016-06-01" =~ $r;
print join("|", split /(?<=,)/, "a,b,c"), " ", sprintf("%vd", "1.22.333"), " ", "a1b22" =~ tr/0-9//, "\\n";
print pack("NnC a3 H4", 1, 2, 3, "xyz", "beef") eq "\\0\\0\\0\\1\\0\\2\\3 xyz" ? "" : unpack("H*", pack("Nnd<", 1, 2, 1.5)), "\\n";
eval { die { code => 5 } }; exit 1 + $@->{code};`;

const PYTHON = `
import json, hashlib, threading, subprocess, re, decimal, math, struct, zlib, sys, os
print(json.dumps({"a": [1, 2.5, None, True], "b": "\\u00e9"}, sort_keys=True), json.loads('{"x": 1e400}'))
for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256"):
    print(name, hashlib.new(name, b"abc" * 1000).hexdigest()[:24])
print(0.1 + 0.2, 1 / 3, 2 ** 0.5, math.pi ** 20, 1e308 * 10, float.hex(0.1), round(2.675, 2), 10 ** 40 // 7 ** 9, -7 // 2, -7 % 3)
print(math.sin(1e22), math.gamma(5.5), math.erf(0.3), math.fsum([0.1] * 10), math.isqrt(10 ** 30), divmod(-2 ** 70, 3))
decimal.getcontext().prec = 40
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1) / 7, decimal.Decimal("1e-30") + 1)
print(re.sub(r"(\\w+) (\\w+)", r"\\2 \\1", "hello world"), re.findall(r"(?i)[a-f]\\d{2,}", "A12 b3 C456"))
print(struct.pack("<d", 1.5).hex(), zlib.crc32(b"x" * 9999), len(zlib.compress(b"abc" * 9999)))
total = 0
lock = threading.Lock()
def work(n):
    global total
    for i in range(500):
        with lock: total += n
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(total)
print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"in", capture_output=True))
pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(sorted({str(i): i for i in range(5)}.items(), key=lambda p: -p[1])[:2], "%5.3e|%-6s|%+d" % (12345.678, "x", 5), f"{2**64:_} {0.000123:g} {255:#x}")
sys.exit(4)`;

const SQL = `
create table t(a integer primary key, b text, c real);
insert into t(b, c) values ('one', 1.5), ('two', 2.25), ('three', 1e100), (null, -0.0);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) insert into t(b, c) select 'n' || i, i / 7.0 from n;
select count(*), sum(c) < 1e101, printf('%.12g', avg(a)), group_concat(b, ',') from t where a < 5;
create index i on t(b); select b, round(c, 3) from t where b like 'n4_' order by c desc limit 3;
begin; delete from t where a > 100; rollback; select max(a), typeof(c), hex(b) from t;
select json_extract('{"a":[1,{"b":2}]}', '$.a[1].b'), strftime('%Y-%j', '2016-06-01'), abs(-9223372036854775807);
pragma integrity_check; vacuum; select substr(quote(zeroblob(3)), 1);
`;

const LUA = `
local t = {}
for w in ("the quick brown fox"):gmatch("%a+") do t[#t + 1] = w:upper() end
table.sort(t); print(table.concat(t, " "), #t)
print(1 / 3, 2 ^ 0.5, 7 // 2, -7 % 3, 1e300 * 1e10, math.pi, 3 | 8, 1 << 62, math.maxinteger + 1 == math.mininteger)
print(string.format("%5.2f %q %x %g", 1 / 3, "a\\n", 255, 0.1), ("x"):rep(3, "-"), #string.pack("<i4d", 1, 2))
local co = coroutine.wrap(function(a) for i = 1, 3 do a = coroutine.yield(a * i) end end); print(co(5), co(6), co(7))
print(pcall(error, { code = 2 }), select("#", 1, nil, nil), tostring(nil), #arg)
print(setmetatable({}, { __index = function(_, k) return k .. "!" end }).hi)
local f = io.popen("echo piped; exit 3"); print(f:read("a"), f:close()); os.exit(5)`;

/** Freestanding but for printf; computes with integers of both widths and with floats. */
const C_SOURCE = `
int printf(const char *, ...);
void *malloc(unsigned long);
typedef struct node { struct node *left, *right; int key; } node;
static node *insert(node *n, int key) {
  if (!n) { n = malloc(sizeof *n); n->left = n->right = 0; n->key = key; return n; }
  if (key < n->key) n->left = insert(n->left, key); else n->right = insert(n->right, key);
  return n;
}
static int depth(const node *n) { if (!n) return 0; int l = depth(n->left), r = depth(n->right); return 1 + (l > r ? l : r); }
static double poly(const double *c, int n, double x) { double s = 0; while (n--) s = s * x + c[n]; return s; }
int main(void) {
  node *root = 0;
  unsigned x = 12345;
  for (int i = 0; i < 300; i++) { x = x * 1103515245u + 12345u; root = insert(root, (int)(x >> 8) % 1000); }
  static const double c[] = {1, 0.5, -0.25, 0.125};
  unsigned long long big = 0x123456789abcdefull;
  printf("%d %.10f %llu %s\\n", depth(root), poly(c, 4, 1.5), big * 31 / 7, sizeof(void *) == 8 ? "64" : "32");
  return (int)(big % 251);
}
`;

const BUSYBOX = `
b=busybox
$b printf 'b\\na\\nc\\na\\n' > f
$b sort -u f; $b uniq -c f; $b wc f; $b md5sum f; $b sha512sum f | $b cut -c1-20
$b seq 1 3 10 | $b paste -s -d, -; $b head -n 1 f; $b tail -n +3 f; $b tac f; $b rev f
$b awk '{ s = s $1 } END { print s, 2 ^ 10, sqrt(2) }' f; $b sed -n 's/a/[&]/p;$=' f
$b expr 6 \\* 7; $b bc <<X
scale=10; 2/7; 3^20
X
$b dc -e '2 10 ^ p'; $b od -An -tx1 f; $b hexdump -C f; $b xxd f; $b base64 f | $b base64 -d | $b cmp - f && echo same
$b gzip -c f | $b gunzip; $b bzip2 -c f | $b bunzip2; $b xz -dc x.xz 2>/dev/null; $b tar cf t.tar f; $b tar tf t.tar
$b find . -type f -name 'f*'; $b ls f t.tar; $b stat -c '%n %s %a' f; $b mkdir -p d/e; $b rmdir d/e; $b test -d d && echo dir
$b dd if=f bs=2 count=2 2>/dev/null; $b tr a-z A-Z <f; $b grep -c a f; $b diff f /dev/null | $b head -3; $b env -i A=1 $b env
$b basename /a/b.c .c; $b dirname /a/b; $b readlink -f ./f | $b grep -c f; $b date -u -d @86400 +%F; $b cal 6 2016; $b factor 360
$b sh -c 'exit 12'; echo $?; $b vi --help 2>&1 | $b head -1 >/dev/null; $b sleep 0; $b usleep 10; $b cksum f; $b fold -w 1 f | $b nl
$b ash -c 'for i in 1 2; do echo $i; done | while read x; do echo $((x * x)); done'; $b false; echo $?`;

export const LINES = Array.from(
  { length: 500 },
  (_, i) => `${(i * 7919) % 1009} word${i % 13} ${i}.${i % 7} foo_${i}\n`,
).join('');

const sh = (script: string): readonly string[] => ['sh', '-c', script];

export const ROWS: readonly Row[] = [
  { name: 'busybox: forty applets', args: ['busybox', 'sh', '-c', BUSYBOX] },
  {
    name: 'bash: pipes, arithmetic, traps, here-documents, coprocesses',
    args: ['bash', '-c', BASH],
    ignoreStderr: true,
  },
  { name: 'bash: job control', args: ['bash', '-c', JOBS], ignoreStderr: true },
  { name: 'bash: process substitution', args: ['bash', '-c', BASH_PROC], proc: true },
  { name: 'dash: traps, substitution, signals', args: ['dash', '-c', DASH] },
  { name: 'grep: extended expressions', args: ['grep', '-nE', 'word(1|7) [0-9]+\\.[35] .*_1?9+$'], input: LINES },
  { name: 'grep: Perl expressions', args: ['grep', '-oP', '(?<=foo_)\\d{2}(?!\\d)'], input: LINES },
  {
    name: 'sed: groups and transliteration',
    args: ['sed', '-nE', '/word3/{s/([0-9]+) (word[0-9]+)/\\2:\\1/;y/o/0/;p}'],
    input: LINES,
  },
  { name: 'sed: in place', args: sh('sed -i.old "2d;s/a/b/w out" f; cat f f.old out'), files: { f: 'ab\ncd\naa\n' } },
  { name: 'mawk: arrays, floats, pipes', args: ['mawk', AWK], input: LINES },
  { name: 'gawk: arrays, expressions, numbers', args: ['gawk', GAWK], input: LINES },
  { name: 'sort: keys', args: ['sort', '-k2,2', '-k1,1nr'], input: LINES },
  { name: 'sort: long doubles', args: ['sort', '-g', '-k3'], input: LINES },
  { name: 'gzip: there and back', args: sh('gzip -9n | tee z | gzip -d | md5sum; md5sum z'), input: LINES },
  {
    name: 'xz: there and back',
    args: sh('xz -2c --threads=1 | tee z | xz -dc | md5sum; md5sum z; xz -lv z | grep CRC'),
    input: LINES,
  },
  {
    name: 'bc: sine, powers, bases',
    args: ['bc', '-lq'],
    input:
      's(1)\nscale=40\nsqrt(2)\n2^200\nobase=16\n255*255\ndefine f(x) { if (x < 2) return 1; return x * f(x - 1) }\nf(20)\n',
  },
  { name: 'perl: expressions, floats, processes, signals', args: ['perl', '-e', PERL] },
  { name: 'python3: floats, json, hashlib, threads, subprocess, decimal, re', args: ['python3', '-c', PYTHON] },
  { name: 'sqlite3: a database in a file', args: ['sqlite3', 'data.db'], input: SQL },
  {
    name: 'openssl: digests and ciphers',
    args: sh(`for d in sha256 sha3-512 blake2s256 md5; do openssl dgst -$d f; done
for c in aes-128-cbc aes-256-ctr chacha20 camellia-128-cbc; do
  openssl enc -$c -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f -iv 000102030405060708090a0b0c0d0e0f -in f | tee c | openssl dgst -sha1
done
openssl dgst -hmac key -sha384 f; openssl pkeyutl -help 2>/dev/null; openssl prime 65537; echo $?
openssl enc -aes-128-cbc -pbkdf2 -S 0102030405060708 -pass pass:x -in f -out e && openssl enc -d -aes-128-cbc -pbkdf2 -S 0102030405060708 -pass pass:x -in e | cmp - f && echo same`),
    files: { f: LINES },
    ignoreStderr: true,
  },
  {
    name: "gcc's cc1: compiles, the result is assembled, linked and run",
    args: sh(`cc1=$(echo /usr/lib/gcc/*/12/cc1); lib=$(echo /usr/lib/*/crt1.o); lib=\${lib%/crt1.o}
$cc1 -quiet -O2 -fno-pic p.c -o p.s && as p.s -o p.o && grep -vc '^\\s*\\.ident' p.s
case $lib in *i386*) so=/lib/ld-linux.so.2;; *) so=/lib64/ld-linux-x86-64.so.2;; esac
ld -no-pie -dynamic-linker $so -o p $lib/crt1.o $lib/crti.o p.o $(ls /lib/*/libc.so.6 | head -1) $lib/crtn.o && cmp -s p p && ./p; echo $?; md5sum p.s p.o p`),
    files: { 'p.c': C_SOURCE },
  },
  {
    name: 'gdb: says its version',
    args: sh(
      'gdb --version | head -3; gdb -q -batch -ex "print 6 * 7" -ex "print sizeof(long)" -ex "info line 1" 2>&1',
    ),
  },
  { name: 'strace: says its version', args: ['strace', '-V'] },
  { name: 'lua5.4: tables, strings, numbers, coroutines', args: ['lua5.4', '-e', LUA] },
  {
    name: 'find: tests and actions',
    args: sh(
      'mkdir -p a/b c; touch a/x a/b/y; ln -s ../a c/l; find . -name "[xy]" -o -type l | sort; find -L c -type f -exec basename {} \\; | sort; find a -depth -delete; ls -R',
    ),
  },
  {
    name: 'tar: archives',
    args: sh(
      'mkdir d; cp f d/g; ln d/g d/h; ln -s g d/s; tar --sort=name --mtime=@0 --owner=0 --group=0 -cf t.tar d; md5sum t.tar; rm -r d; tar xvf t.tar; ls d; stat -c "%h %s %F" d/*',
    ),
    files: { f: LINES },
  },
  {
    name: 'make: rules, patterns, jobs',
    args: sh('make -j3 all; make all; make bad; echo $?'),
    files: {
      Makefile: 'all: a.o b.o\n\tcat $^ > $@; cat all\n%.o: %.c\n\t@tr a-z A-Z < $< > $@\nbad:\n\texit 3\n',
      'a.c': 'one\n',
      'b.c': 'two\n',
    },
  },
  {
    name: 'coreutils: a round of them',
    args: sh(`sha256sum f; b2sum f | cut -c1-20; cut -d' ' -f2 f | sort | uniq -c | sort -rn | head -3; tac f | tail -1; nl f | tail -1
split -l 100 f part.; ls part.*; cat part.* | cmp - f && echo same; comm -12 f f | wc -l; join f f | head -2; paste -d: f f | head -1
printf '%s %5.2f %x\\n' a 1.5 255; seq 1 0.5 3; factor 1000000007 123456789012345678; shuf -i 1-5 --random-source=f; numfmt --to=iec 1234567
tr -cd '0-9' < f | md5sum; od -A x -t x1z -N 40 f; base32 f | head -2; expand f | fold -w 30 | head -2; date -u -d @1464739200 '+%F %T %A %j'
truncate -s 1M big; stat -c '%s %F %a' big; dd if=/dev/zero of=big bs=64k count=4 conv=notrunc 2>/dev/null; cksum big
cp -a f g; mv g h; ln h i; ln -s i j; readlink j; rm h; cat j | wc -c; chmod 640 i; stat -c %A i; mkdir -m 700 dd; mktemp -u X.XXX | wc -c; test -e i -a ! -e h; echo $?
timeout 0.1 sleep 5; echo $?; env -i sh -c 'echo \${HOME-none}'; expr $(nice -n 5 nice) - $(nice); nohup true 2>/dev/null; echo $?; id -u; pwd | grep -c tmp; tee < f t1 t2 | md5sum; stdbuf -o0 echo x; yes n | head -1000 | wc`),
    files: { f: LINES },
  },
];

/** Programs that only the amd64 side has; a host without one skips its row, loudly. */
export const MORE: readonly Row[] = [
  {
    name: 'python3: sqlite3, files, sockets, selectors, asyncio',
    args: [
      'python3',
      '-c',
      `
import sqlite3, socket, selectors, asyncio, tempfile, mmap, os, signal, time, random, pickle
db = sqlite3.connect("x.db"); db.execute("create table t(a, b)"); db.executemany("insert into t values(?, ?)", [(i, i * 0.1) for i in range(50)]); db.commit()
print(db.execute("select count(*), sum(b) from t").fetchone())
server = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(server.getsockname()); peer, address = server.accept()
client.sendall(b"x" * 100000); client.shutdown(socket.SHUT_WR); data = b""
while chunk := peer.recv(65536): data += chunk
print(len(data), address == client.getsockname(), peer.getpeername()[0])
a, b = socket.socketpair(); s = selectors.DefaultSelector(); s.register(b, selectors.EVENT_READ); a.send(b"hi"); print([k.fileobj.recv(9) for k, _ in s.select(1)])
async def handle(r, w): w.write((await r.readline()).upper()); await w.drain(); w.close()
async def main():
    srv = await asyncio.start_server(handle, "127.0.0.1", 0); host, port = srv.sockets[0].getsockname()
    async def ask(n):
        r, w = await asyncio.open_connection(host, port); w.write(b"hello %d\\n" % n); return await r.read()
    print(await asyncio.gather(*(ask(i) for i in range(5)))); srv.close()
asyncio.run(main())
with tempfile.TemporaryFile() as f:
    f.write(b"a" * 5000); f.flush(); m = mmap.mmap(f.fileno(), 0); m[4999:5000] = b"z"; f.seek(4998); print(f.read(), m.find(b"z"))
got = []; signal.signal(signal.SIGALRM, lambda *_: got.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01); time.sleep(0.1); signal.setitimer(signal.ITIMER_REAL, 0); print(len(got) > 3)
random.seed(5); print(random.random(), random.sample(range(100), 3), pickle.loads(pickle.dumps({1: (2, "x")})), os.cpu_count() > 0)
`,
    ],
  },
  {
    name: 'git: a repository',
    args: sh(`export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE='1464739200 +0000' GIT_COMMITTER_DATE='1464739200 +0000' GIT_CONFIG_NOSYSTEM=1 HOME=$PWD
git init -q -b main r && cd r && cp ../f . && git add f && git commit -qm one && echo more >> f && git commit -qam two && git log --oneline --stat && git diff HEAD~1 | tail -3
git checkout -qb side HEAD~1 && echo g > g && git add g && git commit -qm three && git merge -q main -m merge && git log --graph --format=%h:%s && git fsck && git gc -q && git status --short && git cat-file -p HEAD | head -2; git clone -q . ../c && ls ../c`),
    files: { f: LINES },
    ignoreStderr: true,
  },
  {
    name: 'vim: edits without a terminal',
    args: sh("vim -u NONE -N -es -c '%s/a/b/g' -c '2d' -c 'wq' f; cat f"),
    files: { f: 'abc\ndef\nghi\n' },
  },
  { name: 'node: says its version', args: ['node', '--version'] },
  {
    name: 'ssh-keygen: makes and reads keys',
    args: sh(
      'ssh-keygen -q -t ed25519 -N "" -C x -f k && ssh-keygen -y -f k | cmp - k.pub; cut -d" " -f1,3 k.pub; ssh-keygen -q -t ecdsa -N "" -f e && wc -l < e.pub',
    ),
  },
  {
    name: 'tclsh: expressions and lists',
    args: ['tclsh'],
    input:
      'puts [expr {sqrt(2) + 1e3 / 7}]\nputs [lsort -integer {3 10 2}]\nputs [exec echo x | tr x y]\nputs [clock format 0 -gmt 1]\nexit 3\n',
  },
  {
    name: 'jq: filters',
    args: ['jq', '-c', '.a | map(. * 1.5) | add, (.[0] | tostring)'],
    input: '{"a": [1, 2, 3.25]}',
  },
  { name: 'xxd: there and back', args: sh('xxd f | xxd -r | cmp - f && xxd -s 4 -l 20 f'), files: { f: LINES } },
  {
    name: 'zstd: there and back',
    args: sh(
      'zstd -q -3 f -o f.zst && zstd -dc f.zst | cmp - f && md5sum f.zst; zstd -b1 -i0 f >/dev/null 2>&1; bzip2 -c f | bzip2 -d | cmp - f && echo same',
    ),
    files: { f: LINES },
  },
  {
    name: 'ed: a script',
    args: ['ed', '-s', 'f'],
    input: '2s/d/D/\n1,2p\n$a\nend\n.\nw\nq\n',
    files: { f: 'abc\ndef\n' },
  },
  {
    name: 'patch: and diff',
    args: sh('diff -u f g > p; sed 1,2d p; patch f p && cmp f g && echo same'),
    files: { f: 'a\nb\nc\n', g: 'a\nB\nc\nd\n' },
  },
  {
    name: 'objdump: disassembles',
    args: sh(
      'objdump -d /usr/bin/true | md5sum; readelf -a /usr/bin/true | md5sum; nm -D /usr/bin/true | wc -l; strings /usr/bin/true | md5sum',
    ),
  },
  { name: 'file: knows types', args: sh('file -b f /usr/bin/true /dev/null'), files: { f: LINES } },
  {
    name: 'gpg: says its version and prints digests',
    args: sh('gpg --version | head -2; gpg --homedir . --print-md SHA512 f'),
    files: { f: LINES },
    ignoreStderr: true,
  },
  { name: 'less: as a filter', args: sh('less f | md5sum'), files: { f: LINES } },
  {
    name: 'python3: a shell on a pseudo terminal',
    args: [
      'python3',
      '-c',
      `
import os, pty, select, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["PS1"] = "$ "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
def talk(text, until):
    os.write(fd, text)
    data = b""
    while until not in data:
        if not select.select([fd], [], [], 20)[0]: break
        try: data += os.read(fd, 1000)
        except OSError: break
    print(data.replace(text.strip(), b"<" + text.strip() + b">", 1))
talk(b"", b"$ ")
talk(b"stty -a | tr ';' '\\n' | grep -c intr; echo $((6 * 7))\n", b"\n42\r\n$ ")
talk(b"sleep 100\n", b"\n")
time.sleep(0.5)
talk(b"\x1a", b"$ ")
talk(b"jobs\n", b"sleep 100\r\n$ ")
talk(b"bg >/dev/null; kill %1; wait %1 2>/dev/null; echo $?\n", b"143\r\n$ ")
talk(b"cat\n", b"\n")
time.sleep(0.5)
talk(b"line\n", b"line\r\nline\r\n")
talk(b"\x03", b"$ ")
talk(b"tty | grep -c pts; exit 7\n", b"exit\r\n")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`,
    ],
  },
  {
    name: 'script: records a terminal session',
    args: sh("script -qec 'tty | grep -c /dev/pts; stty size; exit 3' log </dev/null; echo $?; grep -c pts log"),
  },
  {
    name: 'tmux: a server, a window, what it shows',
    args: sh(`export TMUX_TMPDIR=$PWD TERM=screen; tmux -f /dev/null new-session -d -x 60 -y 10 'printf "hello\\033[31m red\\n"; seq 3; cat'
sleep 1; tmux send-keys typed Enter; sleep 1; tmux capture-pane -p | head -7; tmux list-windows -F '#{window_name} #{pane_width}'; tmux kill-server; echo $?`),
  },
  {
    name: 'ps: and the other readers of /proc',
    args: sh(`for c in "ps" "free" "uptime" "vmstat" "top -b -n1" "lscpu" "df /" "mount" "nproc" "getent hosts localhost" "pgrep -c xyzzy" "pidof xyzzy" "id"; do $c > out 2> err; echo $c $? $(wc -l < err); done
ps -o comm= -p $$; cat /proc/net/tcp | head -1 | md5sum; readlink /proc/net; cut -d' ' -f1-3 /proc/self/cgroup | wc -l >/dev/null; sort /proc/self/io | cut -d: -f1 | md5sum; cat /proc/self/uid_map | wc -l`),
  },
  {
    name: 'curl: from a server in python3',
    args: [
      'python3',
      '-c',
      `
import http.server, threading, subprocess
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name in ("f", "missing"):
    done = subprocess.run(["curl", "-sS", "-o", "got", "-w", "%{http_code}", f"http://localhost:{server.server_port}/{name}"], capture_output=True)
    print(done.returncode, done.stdout, len(open("got").read()))
`,
    ],
    files: { f: LINES },
  },
];

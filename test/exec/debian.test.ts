import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

/** A program of the host, run natively and in the machine; what it prints and how it ends must be the same. */
interface Row {
  readonly name: string;
  readonly args: readonly string[];
  readonly input?: string;
}

const BASH = `
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
while read -r a b; do echo "$b-$a"; done < <(printf '1 2\\n3 4\\n')
(sleep 0.2; echo background) & wait $!
false | (exit 4) | true; echo \${PIPESTATUS[@]}
yes | head -2
coproc cat; echo x >&\${COPROC[1]}; read -u \${COPROC[0]} z; echo co $z
printf '%.3f %e %q\\n' 3.14159 12345.678 'a b'
exit 3`;

const DASH = `
trap 'echo bye' EXIT
i=0; while [ $i -lt 20 ]; do i=$((i+1)); done; echo $i
cat <<X
$(echo nested | cat) \`uname -m\`
X
(trap 'echo term; exit 4' TERM; kill -TERM $(sh -c 'echo $PPID'); sleep 1); echo $?
sh -c 'kill -SEGV $$' 2>/dev/null; echo $?
x=\${UNSET:-def}; echo \${x%f}
exit 9`;

const MAWK = `{ s += $1; c[$2] += $3; if (length($4) > m) m = length($4) }
END {
  printf "%d %d %.4f\\n", s, m, exp(log(s) / 3) + sin(1)
  for (i = 0; i < 13; i++) print i, c["word" i]
  print substr("hello", 2, 3), sqrt(2), 2 ^ 0.5, 1e300 * 1e10, atan2(1, -1), int(-3.7)
}`;

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
eval { die { code => 5 } }; exit 1 + $@->{code};`;

const LINES = Array.from({ length: 500 }, (_, i) => `${(i * 7919) % 1009} word${i % 13} ${i}.${i % 7} foo_${i}\n`).join(
  '',
);

const ROWS: readonly Row[] = [
  { name: 'bash: pipes, arithmetic, traps, here-documents, coprocesses', args: ['bash', '-c', BASH] },
  { name: 'dash: traps, substitution, signals', args: ['dash', '-c', DASH] },
  { name: 'grep: extended expressions', args: ['grep', '-nE', 'word(1|7) [0-9]+\\.[35] .*_1?9+$'], input: LINES },
  { name: 'grep: Perl expressions', args: ['grep', '-oP', '(?<=foo_)\\d{2}(?!\\d)'], input: LINES },
  {
    name: 'sed: groups and transliteration',
    args: ['sed', '-nE', '/word3/{s/([0-9]+) (word[0-9]+)/\\2:\\1/;y/o/0/;p}'],
    input: LINES,
  },
  { name: 'mawk: arrays and floats', args: ['mawk', MAWK], input: LINES },
  { name: 'sort: keys', args: ['sort', '-k2,2', '-k1,1nr'], input: LINES },
  { name: 'sort: long doubles', args: ['sort', '-g', '-k3'], input: LINES },
  { name: 'gzip: there', args: ['sh', '-c', 'gzip -9n | md5sum'], input: LINES },
  { name: 'gzip: and back', args: ['sh', '-c', 'gzip | gzip -d'], input: LINES },
  { name: 'perl: expressions, floats, processes, signals', args: ['perl', '-e', PERL] },
];

const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: '/' };

const find = (program: string): string | undefined =>
  ['/usr/bin', '/bin'].map((directory) => join(directory, program)).find((path) => existsSync(path));

function run(command: string, args: readonly string[], input: string): SpawnSyncReturns<string> {
  return spawnSync(command, args, { input, encoding: 'utf8', timeout: 120_000, env: ENVIRONMENT });
}

function emulated(args: readonly string[], input = ''): SpawnSyncReturns<string> {
  return run(process.execPath, ['--import', 'tsx', 'server/main.ts', 'exec', '--run', ...args], input);
}

describe('programs of Debian', () => {
  for (const { name, args, input = '' } of ROWS) {
    it(name, function () {
      const program = name.slice(0, name.indexOf(':'));
      if (find(program) === undefined || find(args[0]!) === undefined) {
        if (process.env['CI']) throw new Error(`${program} is missing`);
        process.stderr.write(`SKIPPED LOUDLY: there is no ${program} here\n`);
        this.skip();
      }
      const native = run(find(args[0]!)!, args.slice(1), input);
      const ours = emulated(args, input);
      expect(ours.stdout, ours.stderr).to.equal(native.stdout);
      expect(ours.status, ours.stderr).to.equal(native.status);
    });
  }

  it('ends with the status of the first program when only a daemon is left', () => {
    const ours = emulated(['dash', '-c', 'mkfifo /tmp/never-written; cat /tmp/never-written & echo started; exit 5']);
    expect(ours.stdout, ours.stderr).to.equal('started\n');
    expect(ours.status, ours.stderr).to.equal(5);
  });
});

# Runs a command inside a container: enters its namespaces, gives up what its processes have not, and executes.
# Arguments: PID, setns syscall number, prctl number, "1" for a controlling terminal on fd 0, working directory,
# allowed capabilities ("all" or numbers with commas), namespaces with commas, then the command.
# A process of its own because Linux lets only a single-threaded one enter a mount namespace (setns(2)).
use strict;
my ($pid, $setns, $prctl, $tty, $cwd, $caps, $kinds, @argv) = @ARGV;
my @handles;
for my $kind (split /,/, $kinds) {
  open(my $fh, '<', "/proc/$pid/ns/$kind") or fail("container is not running: $!");
  push @handles, $fh;
}
for my $fh (@handles) { syscall($setns, fileno($fh), 0) == 0 or fail("setns: $!"); }
@handles = ();
my $child = fork();
defined $child or fail("fork: $!");
if (!$child) {
  syscall($prctl, 1, 9, 0, 0, 0); # PR_SET_PDEATHSIG, SIGKILL: when we are ended, so is it.
  if ($tty) {
    setsid();
    ioctl(STDIN, 0x540E, 0); # TIOCSCTTY
  }
  if ($caps ne 'all') {
    my %keep = map { $_ => 1 } split /,/, $caps;
    for my $cap (0 .. 40) { syscall($prctl, 24, $cap, 0, 0, 0) unless $keep{$cap}; } # PR_CAPBSET_DROP
  }
  chdir($cwd) or chdir('/');
  exec { $argv[0] } @argv;
  my $why = $! + 0;
  my $text = $why == 2 ? (index($argv[0], '/') >= 0 ? 'no such file or directory' : 'executable file not found in $PATH') : lc "$!";
  print STDERR "podlab-exec-failed: exec: \"$argv[0]\": $text\n";
  require POSIX; POSIX::_exit($why == 2 ? 127 : 126);
}
for my $sig (qw(TERM INT HUP)) { $SIG{$sig} = sub { kill $sig, $child }; }
while (waitpid($child, 0) < 0) { last unless $!{EINTR}; }
exit($? & 127 ? 128 + ($? & 127) : $? >> 8);

sub setsid { require POSIX; POSIX::setsid(); }
sub fail { print STDERR "podlab-exec-failed: $_[0]\n"; exit 126; }

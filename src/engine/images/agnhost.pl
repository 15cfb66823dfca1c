#!/usr/bin/perl
# agnhost's subcommands that labs and checks use, with its flags, endpoints and words
# (kubernetes/kubernetes, test/images/agnhost/README.md). Perl's base package only: it starts in 5 ms.
use strict;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY inet_ntoa inet_aton getaddrinfo getnameinfo SOCK_STREAM SOCK_DGRAM);
use Errno qw(EINPROGRESS ECONNREFUSED EAGAIN EINTR);
use Fcntl;

my $name = shift(@ARGV) // 'help';
my %commands = (
  'netexec' => \&netexec, 'serve-hostname' => \&serve_hostname, 'connect' => \&connect_to, 'pause' => \&pause,
  'dns-suffix' => \&dns_suffix, 'dns-server-list' => \&dns_servers, 'etc-hosts' => \&etc_hosts,
  'liveness' => \&liveness, 'net' => \&unsupported, 'help' => \&help, '--help' => \&help, '--version' => \&version,
  'entrypoint-tester' => sub { print "[/agnhost entrypoint-tester @ARGV]\n"; exit 0 }, 'fake-gitserver' => \&unsupported,
  'tcp-reset' => \&unsupported, 'no-snat-test' => \&unsupported, 'porter' => \&porter,
);
my $run = $commands{$name} or do { print STDERR "Error: unknown command \"$name\" for \"app\"\n"; exit 1 };
$| = 1;
$SIG{PIPE} = 'IGNORE';
$run->();

sub version { print "agnhost version 2.53\n"; exit 0 }
sub help { print "Usage:\n  app [command]\n\nAvailable Commands:\n", map({ "  $_\n" } sort grep { !/^-/ } keys %commands); exit 0 }
sub unsupported { print STDERR "agnhost $name is not part of this catalogue; on a cluster with a registry it is (--cluster kind)\n"; exit 1 }

# Flags as Go's pflag takes them: --a=b, --a b, --switch. Returns the words that are no flags.
sub flags {
  my ($known, $switches) = @_;
  my @rest;
  while (@ARGV) {
    my $word = shift @ARGV;
    if ($word =~ /^--?([\w-]+)(?:=(.*))?$/s) {
      my ($flag, $value) = ($1, $2);
      if ($switches && exists $switches->{$flag}) { ${ $switches->{$flag} } = $value // 'true'; next }
      exists $known->{$flag} or do { print STDERR "Error: unknown flag: --$flag\n"; exit 1 };
      ${ $known->{$flag} } = $value // shift(@ARGV);
    } else { push @rest, $word }
  }
  return @rest;
}
sub seconds { # Go's durations: 1s, 500ms, 1m30s
  my ($text) = @_;
  my $sum = 0; my $any = 0;
  while ($text =~ /([\d.]+)(ms|us|s|m|h)/g) { $any = 1; $sum += $1 * { ms => .001, us => .000001, s => 1, m => 60, h => 3600 }->{$2} }
  return $any ? $sum : $text + 0;
}
sub hostname { open(my $f, '<', '/proc/sys/kernel/hostname') or return 'localhost'; my $h = <$f>; chomp $h; return $h }

sub pause { $SIG{TERM} = $SIG{INT} = sub { exit 0 }; print "Paused\n"; select(undef, undef, undef, undef) while 1 }

# ---- connect: can this address be reached? Says TIMEOUT, REFUSED, DNS or OTHER on standard error.
sub connect_to {
  my ($timeout, $protocol, $data) = ('0', 'tcp', 'hostname'); # netexec and serve-hostname answer it.
  my @rest = flags({ timeout => \$timeout, protocol => \$protocol, 'udp-data' => \$data });
  my $dest = $rest[0] // '';
  my ($host, $port) = $dest =~ /^\[?(.*?)\]?:(\d+)$/ or verdict("DNS: address $dest: missing port in address");
  $timeout = seconds($timeout) || 30;
  my $type = $protocol eq 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  $protocol eq 'sctp' and verdict('OTHER: protocol not supported');
  my ($err, @found) = getaddrinfo($host, $port, { socktype => $type, family => AF_INET });
  verdict("DNS: lookup $host: no such host") if $err || !@found;
  socket(my $s, AF_INET, $type, 0) or verdict("OTHER: $!");
  fcntl($s, F_SETFL, O_NONBLOCK);
  if (!connect($s, $found[0]{addr}) && $! != EINPROGRESS) { refused($!) }
  my ($r, $w) = ('', '');
  if ($protocol eq 'udp') {
    defined(send($s, $data, 0)) or refused($!);
    vec($r, fileno($s), 1) = 1;
    select($r, undef, undef, $timeout) or verdict('TIMEOUT');
    defined(recv($s, my $answer, 65535, 0)) or refused($!);
    exit 0;
  }
  vec($w, fileno($s), 1) = 1;
  select(undef, $w, undef, $timeout) or verdict('TIMEOUT');
  $! = unpack('i', getsockopt($s, SOL_SOCKET, SO_ERROR));
  refused($!) if $!;
  exit 0;
}
sub refused { my $e = shift; verdict($e == ECONNREFUSED ? 'REFUSED' : $e == Errno::ETIMEDOUT() ? 'TIMEOUT' : 'OTHER: ' . lc "$e") }
sub verdict { print STDERR "$_[0]\n"; exit 1 }

# ---- small tellers
sub resolv { open(my $f, '<', '/etc/resolv.conf') or return (); return map { chomp; $_ } <$f> }
sub dns_suffix { my ($s) = grep { /^search/ } resolv(); $s =~ s/^search\s+//; print join(',', split ' ', $s), "\n"; exit 0 }
sub dns_servers { print join(',', map { /^nameserver\s+(\S+)/ ? $1 : () } resolv()), "\n"; exit 0 }
sub etc_hosts { open(my $f, '<', '/etc/hosts'); print <$f>; exit 0 }

# ---- servers: one process, one select loop, any number of listeners
my ($forked, %on, %buffer, %out, %close, %peer, %tcp_port);
sub listener {
  my ($type, $address, $port, $handler) = @_;
  socket(my $s, AF_INET, $type, 0) or die "socket: $!\n";
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, sockaddr_in($port, inet_aton($address))) or die "listen $address:$port: $!\n";
  listen($s, 512) if $type == SOCK_STREAM;
  fcntl($s, F_SETFL, O_NONBLOCK);
  $on{ fileno($s) } = [$type == SOCK_STREAM ? 'accept' : 'udp', $s, $handler];
}
sub serve {
  while (1) {
    my ($r, $w) = ('', '');
    for my $fd (keys %on) {
      vec($r, $fd, 1) = 1 unless $on{$fd}[0] eq 'conn' && $close{$fd};
      vec($w, $fd, 1) = 1 if length($out{$fd} // '');
    }
    my $n = select($r, $w, undef, undef);
    next if $n <= 0;
    for my $fd (keys %on) {
      my ($kind, $s, $handler) = @{ $on{$fd} or next };
      if (vec($w, $fd, 1) && length($out{$fd} // '')) { flush_out($fd, $s) or next }
      next unless vec($r, $fd, 1);
      if ($kind eq 'accept') {
        while (my $from = accept(my $c, $s)) {
          fcntl($c, F_SETFL, O_NONBLOCK);
          setsockopt($c, IPPROTO_TCP, TCP_NODELAY, 1);
          my ($port, $ip) = sockaddr_in($from);
          my $f = fileno($c);
          $peer{$f} = inet_ntoa($ip) . ":$port";
          $on{$f} = ['conn', $c, $handler];
          $buffer{$f} = ''; $out{$f} = '';
          $handler->($f, undef);
        }
      } elsif ($kind eq 'udp') {
        while (defined(my $from = recv($s, my $data, 65535, 0))) {
          my ($port, $ip) = sockaddr_in($from);
          my $answer = $handler->($data, inet_ntoa($ip) . ":$port");
          send($s, $answer, 0, $from) if defined $answer;
        }
      } else {
        my $got = sysread($s, $buffer{$fd}, 65536, length $buffer{$fd});
        if (!defined $got) { drop($fd) unless $! == EAGAIN || $! == EINTR; next }
        if (!$got) { drop($fd); next }
        $handler->($fd, $s);
      }
    }
  }
}
sub flush_out {
  my ($fd, $s) = @_;
  my $n = syswrite($s, $out{$fd});
  if (!defined $n) { return 1 if $! == EAGAIN || $! == EINTR; drop($fd); return 0 }
  substr($out{$fd}, 0, $n) = '';
  if (!length $out{$fd} && $close{$fd}) { shutdown($s, 1); drop($fd); return 0 }
  return 1;
}
sub drop { my $fd = shift; my $e = delete $on{$fd}; delete $_->{$fd} for \%buffer, \%out, \%close, \%peer; close($e->[1]) if $e }

# HTTP/1.1 as far as probes and people speak it: handler(method, path, query, headers, peer, body) -> status, body, headers
sub http {
  my ($handler) = @_;
  return sub {
    my ($fd, $s) = @_;
    return unless $s;
    while ($on{$fd} && $buffer{$fd} =~ /\r?\n\r?\n/) {
      my ($head, $rest) = ($`, $');
      my ($line, @lines) = split /\r?\n/, $head;
      my ($method, $target, $version) = split ' ', $line;
      my %h = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1, $2) : () } @lines;
      my $length = $h{'content-length'} // 0;
      return if length($rest) < $length;
      my $body = substr($rest, 0, $length);
      $buffer{$fd} = substr($rest, $length);
      my ($path, $query) = split /\?/, $target // '/', 2;
      my %q;
      for (split /[&;]/, $query // '') { my ($k, $v) = map { s/\+/ /gr =~ s/%(..)/chr hex $1/ger } (split(/=/, $_, 2), ''); $q{$k} = $v }
      if ($method eq 'POST' && ($h{'content-type'} // '') =~ /urlencoded/) {
        for (split /&/, $body) { my ($k, $v) = map { s/\+/ /gr =~ s/%(..)/chr hex $1/ger } (split(/=/, $_, 2), ''); $q{$k} //= $v }
      }
      if ($path =~ m{^/(?:dial|shell)}) { # These wait for others, perhaps for us: a process of their own answers.
        $SIG{CHLD} = 'IGNORE';
        my $child = fork();
        if ($child) { drop($fd); return }
        $SIG{CHLD} = 'DEFAULT';
        $h{connection} = 'close';
        fcntl($s, F_SETFL, 0);
        $forked = 1;
      }
      my ($status, $text, %extra) = $handler->($method, $path, \%q, \%h, $peer{$fd}, $body, \@lines);
      next unless $on{$fd};
      my %words = (200 => 'OK', 302 => 'Found', 400 => 'Bad Request', 404 => 'Not Found', 412 => 'Precondition Failed', 500 => 'Internal Server Error', 503 => 'Service Unavailable');
      my $keep = ($version // '') eq 'HTTP/1.1' && lc($h{connection} // '') ne 'close';
      my $type = delete $extra{'Content-Type'} // 'text/plain; charset=utf-8';
      $out{$fd} .= "HTTP/1.1 $status " . ($words{$status} // 'Status') . "\r\nDate: " . http_date() . "\r\nContent-Length: " . length($text)
        . "\r\nContent-Type: $type\r\n" . join('', map { "$_: $extra{$_}\r\n" } keys %extra) . ($keep ? '' : "Connection: close\r\n")
        . "\r\n" . ($method eq 'HEAD' ? '' : $text);
      if ($forked) { syswrite($s, $out{$fd}); exit 0 }
      $close{$fd} = 1 unless $keep;
      flush_out($fd, $s) or return;
    }
  };
}
sub http_date { my @t = gmtime; my @d = qw(Sun Mon Tue Wed Thu Fri Sat); my @m = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);
  return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT', $d[$t[6]], $t[3], $m[$t[4]], $t[5] + 1900, $t[2], $t[1], $t[0] }
sub json_text { my $s = shift; $s =~ s/([\\"])/\\$1/g; $s =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge; return "\"$s\"" }

sub netexec {
  my ($http_port, $udp_port, $sctp, $override, $delay, $addresses, $cert, $key) = (8080, 8081, -1, '', 0, '', '', '');
  flags({ 'http-port' => \$http_port, 'udp-port' => \$udp_port, 'sctp-port' => \$sctp, 'http-override' => \$override,
    'delay-shutdown' => \$delay, 'http-listen-addresses' => \$addresses, 'udp-listen-addresses' => \my $udp_addresses,
    'tls-cert-file' => \$cert, 'tls-private-key-file' => \$key });
  my $host = hostname();
  my $started = time;
  my $stop = sub { if ($delay > 0) { my $end = time + $delay; $SIG{ALRM} = sub { exit 0 }; alarm $delay } else { exit 0 } };
  $SIG{TERM} = $SIG{INT} = $stop;
  my $exit_in = sub { my ($code, $wait) = @_; $SIG{ALRM} = sub { exit $code }; if ($wait > 0) { alarm $wait } else { exit $code } };
  my $http = http(sub {
    my ($method, $path, $q, $h, $peer, $body, $lines) = @_;
    print "GET $path\n" if $path ne '/healthz';
    $path = $override if $override ne '' && $path eq '/';
    return (200, 'NOW: ' . scalar(gmtime) . ' UTC') if $path eq '/';
    return (200, $host) if $path eq '/hostname' || $path eq '/hostName';
    return (200, $peer) if $path eq '/clientip';
    return (200, $q->{msg} // '') if $path eq '/echo' && ($q->{code} // '') eq '';
    return ($q->{code}, $q->{msg} // '') if $path eq '/echo';
    return (200, '') if $path eq '/healthz';
    if ($path eq '/header') { return (200, $h->{ lc($q->{key} // '') } // '') }
    if ($path eq '/redirect') { return ($q->{code} || 302, '', Location => $q->{location} // '/') }
    if ($path eq '/exit') { $exit_in->($q->{code} // 0, seconds($q->{timeout} // 0)); return (200, '') }
    if ($path eq '/shutdown') { $exit_in->(0, 1); return (200, '') }
    if ($path eq '/shell' || $path eq '/shell/') {
      my $command = $q->{shellCommand} // $q->{cmd} // '';
      my $text = `$command 2>&1`;
      my $code = $? >> 8;
      my $answer = $code ? '"error":' . json_text("exit status $code") . ',' : '';
      return (200, "{$answer\"output\":" . json_text($text) . '}', 'Content-Type' => 'application/json');
    }
    if ($path eq '/dial') { return dial($q) }
    return (404, "404 page not found\n");
  });
  listener(SOCK_STREAM, $_, $http_port, $http) for $addresses eq '' ? '0.0.0.0' : split /,/, $addresses;
  print "Started HTTP server on port $http_port\n";
  if ($udp_port >= 0) {
    listener(SOCK_DGRAM, '0.0.0.0', $udp_port, sub {
      my ($data, $peer) = @_;
      $data =~ s/\s+$//;
      return $host if lc $data eq 'hostname';
      return $1 if $data =~ /^echo\s+(.*)$/is;
      return $peer if lc $data eq 'clientip';
      return undef; # Like the original: an unknown command gets no answer.
    });
    print "Started UDP server on port $udp_port\n";
  }
  $0 = "/agnhost netexec --http-port=$http_port --udp-port=$udp_port";
  serve();
}

# /dial?host=&port=&protocol=&request=&tries=: asks another netexec, from here.
sub dial {
  my ($q) = @_;
  my (@responses, @errors);
  for (1 .. ($q->{tries} || 1)) {
    my ($ok, $text) = ask($q->{protocol} // 'http', $q->{host} // '', $q->{port} // 8080, $q->{request} // 'hostname');
    if ($ok) { push @responses, $text } else { push @errors, $text }
  }
  my @parts;
  push @parts, '"responses":[' . join(',', map { json_text($_) } @responses) . ']' if @responses;
  push @parts, '"errors":[' . join(',', map { json_text($_) } @errors) . ']' if @errors;
  return (200, '{' . join(',', @parts) . '}', 'Content-Type' => 'application/json');
}
sub ask {
  my ($protocol, $host, $port, $request) = @_;
  my $type = $protocol eq 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  my ($err, @found) = getaddrinfo($host, $port, { socktype => $type, family => AF_INET });
  return (0, "lookup $host: no such host") if $err || !@found;
  socket(my $s, AF_INET, $type, 0) or return (0, "$!");
  fcntl($s, F_SETFL, O_NONBLOCK);
  connect($s, $found[0]{addr}) || $! == EINPROGRESS || return (0, "$!");
  my $w = ''; vec($w, fileno($s), 1) = 1;
  select(undef, $w, undef, 5) or return (0, 'i/o timeout');
  $! = unpack('i', getsockopt($s, SOL_SOCKET, SO_ERROR));
  return (0, lc "$!") if $!;
  syswrite($s, $type == SOCK_DGRAM ? "$request\n" : "GET /$request HTTP/1.0\r\nHost: $host\r\n\r\n");
  my $text = '';
  my $end = time + 5;
  while (time <= $end) {
    my $r = ''; vec($r, fileno($s), 1) = 1;
    select($r, undef, undef, 5) or return (0, 'i/o timeout');
    my $n = sysread($s, $text, 65536, length $text);
    return (0, lc "$!") if !defined $n && $! != EAGAIN;
    last if $type == SOCK_DGRAM || defined $n && !$n;
  }
  $text =~ s/^.*?\r\n\r\n//s if $type == SOCK_STREAM;
  return (1, $text);
}

sub serve_hostname {
  my ($port, $tcp, $udp, $http, $close) = (9376, 'false', 'false', 'true', 'false');
  flags({ port => \$port }, { tcp => \$tcp, udp => \$udp, http => \$http, close => \$close });
  $SIG{TERM} = $SIG{INT} = sub { exit 0 };
  my $host = hostname();
  if ($udp eq 'true') { listener(SOCK_DGRAM, '0.0.0.0', $port, sub { $host }) }
  if ($tcp eq 'true') {
    listener(SOCK_STREAM, '0.0.0.0', $port, sub { my ($fd, $s) = @_; return if $s; $out{$fd} = "$host\n"; $close{$fd} = 1 if $close eq 'true' });
  } elsif ($http eq 'true') { listener(SOCK_STREAM, '0.0.0.0', $port, http(sub { (200, $host) })) }
  serve();
}

# SERVE_PORT_80=text answers text on port 80, as the e2e tests' porter does.
sub porter {
  $SIG{TERM} = $SIG{INT} = sub { exit 0 };
  for my $key (grep { /^SERVE_(?:TLS_)?PORT_\d+$/ } keys %ENV) {
    my ($port) = $key =~ /(\d+)$/;
    my $text = $ENV{$key};
    listener(SOCK_STREAM, '0.0.0.0', $port, http(sub { (200, $text) }));
  }
  serve();
}

# Healthy for ten seconds, then not: the liveness probe's example.
sub liveness {
  $SIG{TERM} = $SIG{INT} = sub { exit 0 };
  my $started = time;
  listener(SOCK_STREAM, '0.0.0.0', 8080, http(sub {
    my $age = time - $started;
    return $age > 10 ? (500, "error: $age") : (200, 'ok');
  }));
  serve();
}

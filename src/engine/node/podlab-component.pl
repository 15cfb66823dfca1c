#!/usr/bin/perl
# podlab-component stop|start NAME: ends or starts one part of the cluster on this node (kubelet, kube-proxy, coredns,
# flanneld, calico-node, endpointslice-controller, kube-scheduler …); podlab-component list tells them all.
use strict;
use IO::Socket::UNIX;
my ($op, $name) = @ARGV;
($op // '') =~ /^(?:stop|start)$/ && defined $name && $name =~ /^[a-z0-9-]+$/ || ($op // '') eq 'list'
  or do { print STDERR "usage: podlab-component stop|start NAME | podlab-component list\n"; exit 2 };
open(my $file, '<', '/etc/hostname') or die "/etc/hostname: $!\n";
chomp(my $node = <$file>);
my $socket = IO::Socket::UNIX->new('/run/podlab.sock') or die "the engine does not answer: $!\n";
print $socket $op eq 'list'
  ? qq({"id":1,"op":"components"}\n)
  : qq({"id":1,"op":"$op","component":"$name","node":"$node"}\n);
my $answer = <$socket> // die "the engine has gone\n";
if ($answer =~ /"error":"((?:[^"\\]|\\.)*)"/) { print STDERR "$1\n"; exit 1 }
if ($op eq 'list') {
  while ($answer =~ /\{"name":"([^"]+)"(?:,"node":"([^"]+)")?,"running":(true|false)\}/g) {
    printf "%-28s %-28s %s\n", $1, $2 // '', $3 eq 'true' ? 'running' : 'stopped';
  }
}

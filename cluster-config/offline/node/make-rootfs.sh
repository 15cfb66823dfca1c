#!/bin/bash
# Makes a node's root filesystem: Debian's, kind's own files, Kubernetes, and all images in containerd's store.
# usage: make-rootfs.sh ROOTFS.tar FILES IMAGES.tar LAYER.tar WORK
# Runs in mount and PID namespaces of its own: its processes and mounts end with it.
set -o errexit -o nounset -o pipefail
rootfs=$1 files=$2 images=$3 layer=$4 root=$5/root

mkdir -p "$root"
tar -C "$root" --xattrs --xattrs-include='*' --numeric-owner --exclude='./dev/*' -xf "$rootfs"
cp -a --no-preserve=ownership "$files/." "$root/"
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/run"
for node in null zero urandom; do
	touch "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done

# Only what a node needs is started, as in kind's own image.
rm -f "$root"/lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$root"/etc/systemd/system/*.wants/* \
	"$root"/lib/systemd/system/sockets.target.wants/*{udev,initctl}* \
	"$root"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
# These set kernel-wide values; a node's own ones come from kind's sysctl.d.
rm -f "$root"/usr/lib/sysctl.d/* "$root"/etc/sysctl.d/99-sysctl.conf "$root"/etc/sysctl.conf
echo 'ReadKMsg=no' >>"$root/etc/systemd/journald.conf"
in_root systemctl enable kubelet.service containerd.service undo-mount-hacks.service
in_root systemctl mask systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-udevd.service \
	systemd-modules-load.service systemd-timesyncd.service systemd-networkd.service getty.target console-getty.service
ln -sf /usr/lib/systemd/systemd "$root/sbin/init"
mkdir -p "$root/etc/kubernetes/manifests" "$root/opt/cni/bin" "$root/kind/manifests"
ln -f "$root"/usr/lib/cni/* "$root/opt/cni/bin/" 2>/dev/null || cp -a "$root"/usr/lib/cni/* "$root/opt/cni/bin/"
: >"$root/etc/machine-id"
# Pods see the node's product files, as in kind's own image.
in_root ctr oci spec | in_root jq 'del(.process.rlimits)
	| .hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}]' >"$root/etc/containerd/cri-base.json"

# All images into containerd's store, by a containerd that knows nothing but how to store.
cat >"$root/run/store.toml" <<'CONFIG'
version = 2
root = "/var/lib/containerd"
state = "/run/store"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "/run/store.sock"
CONFIG
# exec: the process to end is containerd, not a shell that waits for it.
(exec chroot "$root" /usr/bin/containerd --config /run/store.toml --log-level warn) &
store=$!
for _ in $(seq 600); do
	in_root ctr --address /run/store.sock version >/dev/null 2>&1 && break
	kill -0 "$store"
	sleep 0.1
done
touch "$root/run/images.tar"
mount --bind "$images" "$root/run/images.tar"
ctr() { in_root ctr --address /run/store.sock --namespace k8s.io "$@"; }
ctr images import --snapshotter overlayfs /run/images.tar
# The layers are unpacked: packed they are not needed again.
layers=$(ctr content list | awk '/containerd.io\/uncompressed=/ { print $1 }')
[[ -n $layers ]]
ctr content rm $layers
kill "$store"
wait "$store" || :
umount "$root/run/images.tar" "$root"/dev/{null,zero,urandom} "$root/run" "$root/dev" "$root/proc"

for digest in $layers; do rm -f "$root/var/lib/containerd/io.containerd.content.v1.content/blobs/${digest/://}"; done
# /var is a volume, which Docker fills for each node with what the image has there. Unpacked layers stay in the image,
# read-only and shared by all nodes; the volume gets links to them.
snapshots=var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots
mv "$root/$snapshots" "$root/kind/snapshots"
mkdir "$root/$snapshots"
for snapshot in "$root"/kind/snapshots/*; do
	ln -s "/kind/snapshots/${snapshot##*/}" "$root/$snapshots/${snapshot##*/}"
done
tar -C "$root" --xattrs --xattrs-include='*' --numeric-owner --sort=name -cf "$layer" .

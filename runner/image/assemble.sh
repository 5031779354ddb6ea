# Runs as a customize hook of mmdebstrap, as root of the new system's namespace; $1 is the new system.
# Leaves in $1/ebb-image: kernel, initramfs.cpio, stub (systemd's, that starts a kernel from firmware), os-release and
# packages (what the image is made of, with versions). The guest's own files are in $1/ebb-files.
# Expects in the environment: EBB_KERNEL_PACKAGE, EBB_STUB_PACKAGE, EBB_MODULES.
set -eu
export LC_ALL=C
root=$1
cd "$root"
mkdir -p ebb-image ebb-kernel

# The kernel is unpacked, not installed: no boot loader, no second initramfs, no modules but ours.
(
  cd ebb-kernel
  export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
  package=$(apt-cache depends "$EBB_KERNEL_PACKAGE" | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
  apt-get download "$package" "$EBB_STUB_PACKAGE" >&2
  for file in ./*.deb; do
    dpkg-deb -x "$file" .
    dpkg-deb -W --showformat '${Package} ${Version}\n' "$file" >> ../ebb-image/packages
  done
)
cp ebb-kernel/boot/vmlinuz-* ebb-image/kernel
cp ebb-kernel/usr/lib/systemd/boot/efi/linuxx64.efi.stub ebb-image/stub
cp etc/os-release ebb-image/os-release
dpkg-query --admindir=var/lib/dpkg --show --showformat '${Package} ${Version}\n' >> ebb-image/packages
mkdir -p usr/lib/ebb/modules
number=10
for module in $EBB_MODULES; do
  file=$(find ebb-kernel/lib/modules -name "$module.ko")
  [ -z "$file" ] || cp "$file" "usr/lib/ebb/modules/$number-$module.ko"
  number=$((number + 1))
done
rm -rf ebb-kernel

cp -R ebb-files/. .
rm -rf ebb-files
chmod 0755 init usr/lib/ebb/*
chmod 0644 etc/ssh/sshd_config usr/lib/ebb/modules/*
chmod 0755 usr/lib/ebb/modules

# A password of '*' matches nothing, and unlike '!' it does not close the account for keys.
echo 'build:x:1000:1000::/home/build:/bin/bash' >> etc/passwd
echo 'checkout:x:1001:1001::/home/checkout:/bin/bash' >> etc/passwd
printf 'build:*:1::::::\ncheckout:*:1::::::\n' >> etc/shadow
printf 'build:x:1000:\ncheckout:x:1001:\n' >> etc/group
printf 'build:*::\ncheckout:*::\n' >> etc/gshadow

rm -rf etc/ssh/ssh_host_* etc/machine-id etc/resolv.conf etc/hostname root/.bashrc root/.profile etc/skel
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion
rm -rf usr/share/common-licenses usr/lib/systemd lib/systemd etc/systemd
rm -rf var/lib/apt var/cache/apt var/cache/debconf var/cache/ldconfig var/log var/lib/dpkg/info
rm -rf home boot
mkdir -p var/log home

# One date for every file and a sorted list: the same packages give the same bytes. init makes the mount points.
find . -xdev \( -path ./ebb-image -o -path ./dev -o -path ./proc -o -path ./sys -o -path ./run -o -path ./tmp \) \
  -prune -o -print0 | sort -z > ebb-image/list
xargs -0 touch -h -d @1700000000 < ebb-image/list
cpio --null --quiet -o -H newc --reproducible -R 0:0 < ebb-image/list > ebb-image/initramfs.cpio

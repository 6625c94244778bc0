#!/bin/bash
# Runs inside a fresh root file system: makes of it what every host of the laboratory shares.
set -euo pipefail

# Nothing of the machine that built it: no sources, no apt options, no resolver.
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
: >/etc/machine-id
: >/etc/resolv.conf
printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
rm -f /etc/hostname

useradd --create-home --no-user-group --shell /bin/bash operator

# Units that make no sense in a throwaway host, or disturb what is measured. (systemd 257 handles
# a burst of mounts once a second; a pending var-lib-machines.mount would add that to each boot.)
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dpkg-db-backup.timer getty@.service console-getty.service nginx.service dnf-makecache.timer \
    systemd-networkd.service systemd-machined.service packagekit.service var-lib-machines.mount; do
    ln -sf /dev/null "/etc/systemd/system/$unit"
done
mkdir -p /etc/systemd/journald.conf.d /var/log/journal
printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\nSyncIntervalSec=1s\n' \
    >/etc/systemd/journald.conf.d/laboratory.conf

# rpm as on an rpm system: Debian's own keeps its database in ~/.rpmdb and names another gpg.
mkdir -p /etc/rpm /var/lib/rpm
printf '%%_dbpath /var/lib/rpm\n%%__gpg /usr/bin/gpg\n' >/etc/rpm/macros
rpm --initdb

# The rpm database knows nothing of what dpkg installed. One package stands in for it.
mkdir -p /tmp/shim/SPECS
cat >/tmp/shim/SPECS/laboratory-shim.spec <<'END'
Name: laboratory-shim
Version: 1
Release: 1
Summary: Stands in for what dpkg installed
License: none
BuildArch: noarch
AutoReqProv: no
Provides: /bin/sh /usr/bin/sh /bin/bash /usr/bin/systemctl /usr/sbin/useradd systemd shadow-utils glibc
Provides: system-release = 9
%description
Stands in for what dpkg installed.
%files
END
rpmbuild --quiet --define '_topdir /tmp/shim' -bb /tmp/shim/SPECS/laboratory-shim.spec
rpm -i /tmp/shim/RPMS/noarch/*.rpm
rm -rf /tmp/shim

# dnf.conf as on RHEL.
mkdir -p /etc/dnf/vars /etc/yum.repos.d /etc/zypp/repos.d /etc/pki/rpm-gpg
cat >/etc/dnf/dnf.conf <<'END'
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
END
printf '9\n' >/etc/dnf/vars/releasever
mkdir -p /etc/systemd/system-preset

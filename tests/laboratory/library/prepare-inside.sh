#!/bin/bash
# Runs inside a host's file system before its first boot: makes it a host of one package
# manager, with the demo agent's repository set up as its vendor would. Usage: MANAGER ADDRESS
set -euo pipefail
manager="$1" repository="$2"

# hide PATTERN…: programs that another family's host does not have.
hide() {
    local pattern
    for pattern in "$@"; do
        # shellcheck disable=SC2086 # a pattern
        rm -f /usr/bin/$pattern /usr/sbin/$pattern
    done
}

hide nginx createrepo_c mergerepo_c modifyrepo_c sqliterepo_c apt-ftparchive rpmbuild rpmsign rpmspec
case "$manager" in
apt) hide 'rpm*' 'dnf*' 'yum*' 'zypp*' 'gendiff' ;;
yum) hide 'apt' 'apt-*' 'dpkg' 'dpkg-*' 'zypp*' ;;
zypper) hide 'apt' 'apt-*' 'dpkg' 'dpkg-*' 'dnf*' 'yum*' ;;
esac

case "$manager" in
apt)
    rm -rf /etc/dnf /etc/zypp /etc/yum.repos.d /etc/rpm /etc/pki /var/lib/rpm /var/lib/dnf /var/cache/dnf /var/cache/zypp
    install -D -m 0644 /mnt/keys/demo.gpg /usr/share/keyrings/demo.gpg
    cat >/etc/apt/sources.list.d/demo.sources <<END
Types: deb
URIs: $repository/apt
Suites: stable
Components: main
Signed-By: /usr/share/keyrings/demo.gpg
END
    ;;
yum | zypper)
    rm -rf /etc/apt /var/lib/apt /var/cache/apt /var/lib/dpkg /etc/dpkg
    install -D -m 0644 /mnt/keys/demo.asc /etc/pki/rpm-gpg/RPM-GPG-KEY-demo
    # Debian's rpm warns about itself where it finds this file.
    rm -f /etc/debian_version
    rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-demo
    ;;
esac

repository_file() {
    cat <<END
[demo]
name=Demo
baseurl=$repository/rpm
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-demo
END
}

case "$manager" in
yum)
    rm -rf /etc/zypp /var/cache/zypp
    ln -s dnf-3 /usr/bin/yum
    repository_file >/etc/yum.repos.d/demo.repo
    ;;
zypper)
    rm -rf /etc/dnf /etc/yum.repos.d /var/lib/dnf
    {
        repository_file
        printf 'autorefresh=1\ntype=rpm-md\n'
    } >/etc/zypp/repos.d/demo.repo
    ;;
esac

like='rhel fedora'
[ "$manager" = yum ] || like='suse opensuse'
if [ "$manager" != apt ]; then
    rm -f /etc/os-release /usr/lib/os-release
    cat >/usr/lib/os-release <<END
NAME="Laboratory"
ID=laboratory
ID_LIKE="$like"
VERSION_ID="9"
PRETTY_NAME="Laboratory host of $manager"
END
    ln -s ../usr/lib/os-release /etc/os-release
fi

# For a host without systemd: the stand-in for an init that starts cron and keeps the agent.
cat >/etc/laboratory-init <<'END'
cron
: >/run/laboratory-up
while :; do
    if [ -x /usr/bin/demo-agent ]; then /usr/bin/demo-agent >>/var/log/demo-agent.log 2>&1; fi
    sleep 1
done
END

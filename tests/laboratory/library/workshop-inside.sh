#!/bin/bash
# The part of the workshop that runs inside the root file system; see workshop.sh.
#   keys                                   makes the signing keys
#   packages                               builds and signs the rpms of /mnt/work/specs
#   repository KEY|unsigned LABEL…         makes /mnt/work/apt and /mnt/work/rpm out of /packages
#   signatures                             see signatures-inside.sh
set -euo pipefail
cd /mnt
export GNUPGHOME=/mnt/gnupg

use_key() {
    install -d -m 0700 "$GNUPGHOME"
    gpg --batch --quiet --import "keys/$1.secret"
    key="$(gpg --batch --with-colons --list-secret-keys | awk -F: '$1 == "fpr" { print $10; exit }')"
}

drop_key() {
    gpgconf --kill all
    rm -rf "$GNUPGHOME"
}

sign() {
    gpg --batch --quiet --yes --digest-algo SHA256 --local-user "$key" "$@"
}

make_key() {
    local name="$1"
    install -d -m 0700 "$GNUPGHOME"
    gpg --batch --quiet --passphrase '' --quick-generate-key "Laboratory $name <$name@example.invalid>" rsa3072 sign never
    gpg --batch --quiet --armor --export >"keys/$name.asc"
    gpg --batch --quiet --export >"keys/$name.gpg.new"
    (umask 077 && gpg --batch --quiet --armor --export-secret-keys >"keys/$name.secret")
    mv "keys/$name.gpg.new" "keys/$name.gpg"
    drop_key
}

build_rpms() {
    local spec label name
    for spec in work/specs/*.spec; do
        label="$(basename "$spec" .spec)"
        rpmbuild --quiet --define '_topdir /mnt/rpmbuild' --define '_build_id_links none' \
            --define '_binary_payload w0.ufdio' --define '__os_install_post %{nil}' \
            --define '_tmppath /mnt/tmp' -bb "$spec"
        install -d "work/rpm-unsigned/$label"
        mv rpmbuild/RPMS/*/*.rpm "work/rpm-unsigned/$label/"
    done
    for name in demo wrong; do
        cp -a work/rpm-unsigned "work/rpm-$name"
        use_key "$name"
        # rpmsign says 0 and signs nothing unless it is told both names.
        rpmsign --define '__gpg /usr/bin/gpg' --define "_gpg_name $key" --addsign "work/rpm-$name"/*/*.rpm >/dev/null
        drop_key
    done
}

make_repository() {
    local key_name="$1" label
    shift
    install -d work/apt/pool work/apt/dists/stable/main/"binary-$architecture" work/rpm
    for label in "$@"; do
        cp "packages/deb/$label"/*.deb work/apt/pool/
        if [ "$key_name" = unsigned ]; then
            cp packages/rpm-unsigned/"$label"/*.rpm work/rpm/
        else
            cp packages/"rpm-$key_name/$label"/*.rpm work/rpm/
        fi
    done
    [ "$key_name" = unsigned ] || use_key "$key_name"
    (
        cd work/apt
        apt-ftparchive packages pool >"dists/stable/main/binary-$architecture/Packages"
        gzip -9nk "dists/stable/main/binary-$architecture/Packages"
        apt-ftparchive -o APT::FTPArchive::Release::Origin=Demo -o APT::FTPArchive::Release::Label=Demo \
            -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=stable \
            -o APT::FTPArchive::Release::Components=main -o "APT::FTPArchive::Release::Architectures=$architecture" \
            release dists/stable >../Release
        mv ../Release dists/stable/Release
    )
    createrepo_c --quiet --general-compress-type=gz --simple-md-filenames work/rpm
    [ "$key_name" != unsigned ] || return 0
    sign --clearsign --output work/apt/dists/stable/InRelease work/apt/dists/stable/Release
    sign --armor --detach-sign --output work/apt/dists/stable/Release.gpg work/apt/dists/stable/Release
    sign --armor --detach-sign --output work/rpm/repodata/repomd.xml.asc work/rpm/repodata/repomd.xml
    cp "keys/$key_name.asc" work/rpm/repodata/repomd.xml.key
    drop_key
}

architecture="$(dpkg --print-architecture)"
what="$1"
shift
case "$what" in
keys)
    make_key demo
    make_key wrong
    ;;
packages) build_rpms ;;
repository)
    unset SOURCE_DATE_EPOCH
    make_repository "$@"
    ;;
signatures)
    unset SOURCE_DATE_EPOCH
    # shellcheck source=/dev/null
    . /mnt/signatures-inside.sh
    make_signatures
    ;;
*) exit 2 ;;
esac

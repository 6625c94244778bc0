#!/bin/bash
# The part of the workshop that runs inside the root file system; see workshop.sh.
#   keys                                   makes the signing keys
#   certificates ADDRESS                   makes those of the web server and of a client
#   packages                               builds and signs the rpms of /mnt/work/specs
#   repository KEY|unsigned "WORD…" LABEL…  makes /mnt/work/apt and /mnt/work/rpm out of /packages
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

# An authority of the laboratory's own, the web server's certificate and that of a client.
make_certificates() {
    local name
    cd keys
    new() { openssl req -newkey rsa:2048 -noenc -keyout "$1.key" -subj "/CN=$2" "${@:3}" 2>openssl.log || { cat openssl.log; false; }; }
    new authority "Laboratory authority" -x509 -days 3650 -out authority.new
    for name in server client; do
        new "$name" "Laboratory $name" -out "$name.request"
        printf 'subjectAltName=IP:%s\n' "$1" | openssl x509 -req -in "$name.request" -days 3650 \
            -CA authority.new -CAkey authority.key -CAcreateserial -extfile /dev/stdin -out "$name.pem" 2>/dev/null
        rm "$name.request"
    done
    printf 'reader:%s\n' "$(openssl passwd -apr1 s3cret-word)" >passwords
    mv authority.new authority.pem
    rm -f authority.key authority.srl authority.new.srl openssl.log
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

# Package files that were not built here; an .rpm is signed like the others.
add_packages() {
    local file
    for file in work/added/*; do
        case "$file" in
        *.deb) mv "$file" work/apt/pool/ ;;
        *.rpm)
            [ "$1" = unsigned ] ||
                rpmsign --define '__gpg /usr/bin/gpg' --define "_gpg_name $key" --addsign "$file" >/dev/null
            mv "$file" work/rpm/
            ;;
        esac
    done
    rmdir work/added
}

# make_repository KEY "WORD…" LABEL…: the words say how the index is written, see `lab --help`.
make_repository() {
    local key_name="$1" how=" $2 " label compression="" suite=dists/stable word
    local -a release_options=() rpm_options=(--simple-md-filenames)
    shift 2
    for word in $how; do
        case "$word" in
        gz | xz | bz2 | zst | lz4) compression="$word" ;;
        flat) suite=. ;;
        sha512)
            release_options+=(-o APT::FTPArchive::Release::MD5=false
                -o APT::FTPArchive::Release::SHA1=false -o APT::FTPArchive::Release::SHA256=false)
            # The packages in the list keep SHA-256, which old tools insist on.
            rpm_options+=(--repomd-checksum=sha512)
            ;;
        zchunk) rpm_options+=(--zck) ;;
        esac
    done
    install -d work/apt/pool work/rpm
    [ "$suite" = . ] || install -d "work/apt/$suite/main/binary-$architecture"
    for label in "$@"; do
        cp "packages/deb/$label"/*.deb work/apt/pool/
        if [ "$key_name" = unsigned ]; then
            cp packages/rpm-unsigned/"$label"/*.rpm work/rpm/
        else
            cp packages/"rpm-$key_name/$label"/*.rpm work/rpm/
        fi
    done
    [ "$key_name" = unsigned ] || use_key "$key_name"
    [ ! -d work/added ] || add_packages "$key_name"
    (
        cd work/apt
        packages="$suite/main/binary-$architecture/Packages"
        [ "$suite" != . ] || packages=Packages
        if [ -n "$compression" ]; then
            # By apt itself, which writes every form that it reads.
            cat >../ftparchive <<END
Dir::ArchiveDir ".";
Dir::CacheDir "..";
Default::Packages::Compress ". $(sed 's/^gz$/gzip/; s/^bz2$/bzip2/; s/^zst$/zstd/' <<<"$compression")";
BinDirectory "pool" { Packages "$packages"; };
END
            apt-ftparchive -q=2 generate ../ftparchive
            rm ../ftparchive
        else
            apt-ftparchive packages pool >"$packages"
            gzip -9nk "$packages"
        fi
        if [ "$suite" = . ]; then
            apt-ftparchive "${release_options[@]}" release . >../Release
        else
            apt-ftparchive -o APT::FTPArchive::Release::Origin=Demo -o APT::FTPArchive::Release::Label=Demo \
                -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=stable \
                -o APT::FTPArchive::Release::Components=main -o "APT::FTPArchive::Release::Architectures=$architecture" \
                "${release_options[@]}" release dists/stable >../Release
        fi
        # apt wants the checksum of the plain list, which few publishers also serve.
        [ -z "$compression" ] || rm "$packages"
        if [[ "$how" == *" by-hash "* ]]; then
            printf 'Acquire-By-Hash: yes\n' | cat - ../Release >../Release.new
            mv ../Release.new ../Release
            for file in "$packages"*; do
                # Old ones ask for the one, apt since 1.2 for the strongest.
                install -D "$file" "$(dirname "$file")/by-hash/SHA256/$(sha256sum "$file" | cut -d' ' -f1)"
                install -D "$file" "$(dirname "$file")/by-hash/SHA512/$(sha512sum "$file" | cut -d' ' -f1)"
                rm "$file"
            done
        fi
        mv ../Release "$suite/Release"
    )
    case "$compression" in
    "" | gz | lz4) compression=gz ;;
    # Debian 12's createrepo_c does not know it.
    zst) createrepo_c --help | grep -q zstd && compression=zstd || compression=gz ;;
    esac
    createrepo_c --quiet --general-compress-type="$compression" "${rpm_options[@]}" work/rpm
    [ "$key_name" != unsigned ] || return 0
    [[ "$how" == *" detached "* ]] || sign --clearsign --output "work/apt/$suite/InRelease" "work/apt/$suite/Release"
    sign --armor --detach-sign --output "work/apt/$suite/Release.gpg" "work/apt/$suite/Release"
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
certificates) make_certificates "$1" ;;
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

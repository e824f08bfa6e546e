# For `cross`: the oldest Debian that is supported, with the headers and libraries of 64-bit ARM beside this machine's
# compilers. (The images that cross brings along are too old, or too new, for GStreamer on the boards.)
FROM debian:bookworm
ARG CROSS_DEB_ARCH=arm64
RUN dpkg --add-architecture $CROSS_DEB_ARCH \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        pkg-config make gcc libc6-dev \
        gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static \
        libgstreamer1.0-dev:$CROSS_DEB_ARCH \
        libgstreamer-plugins-base1.0-dev:$CROSS_DEB_ARCH \
        gstreamer1.0-plugins-base:$CROSS_DEB_ARCH \
        gstreamer1.0-plugins-good:$CROSS_DEB_ARCH \
        gstreamer1.0-plugins-bad:$CROSS_DEB_ARCH \
        gstreamer1.0-plugins-ugly:$CROSS_DEB_ARCH \
    && rm -rf /var/lib/apt/lists/*
ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64-static \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar \
    PKG_CONFIG_ALLOW_CROSS=1 \
    PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig

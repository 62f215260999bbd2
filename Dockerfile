# syntax=docker/dockerfile:1

FROM golang:1.26-alpine AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.stamp=${VERSION}" -o /kbsyncd ./cmd/kbsyncd

# Alpine and not an empty image: git sources run git, over https or ssh.
FROM alpine:3
RUN apk add --no-cache ca-certificates git git-lfs openssh-client tzdata \
 && adduser -D -H -u 10001 -h /var/lib/kbsync kbsync \
 && install -d -o kbsync -g kbsync -m 0700 /var/lib/kbsync
COPY --from=build /kbsyncd /usr/local/bin/kbsyncd
USER 10001:10001
ENV HOME=/var/lib/kbsync STATE_DIRECTORY=/var/lib/kbsync
VOLUME /var/lib/kbsync
WORKDIR /var/lib/kbsync
STOPSIGNAL SIGTERM
ENTRYPOINT ["kbsyncd"]
# One pass over /etc/kbsync/kbsync.yaml; the daemon is not built yet.
CMD ["--once"]

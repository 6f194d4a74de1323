/**
 * A certificate for localhost that no browser trusts, valid for a hundred years, and its key: no secret, it is for tests
 * alone. Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500`.
 */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBtTCCAVugAwIBAgIUAU+0lCygqRMGzBKxLQcXl2VVPIQwCgYIKoZIzj0EAwIw
ITEfMB0GA1UEAwwWYSB0ZXN0J3Mgb3duIGF1dGhvcml0eTAgFw0yNjExMjEyMTUz
NDlaGA8yMTI2MTAyODIxNTM0OVowITEfMB0GA1UEAwwWYSB0ZXN0J3Mgb3duIGF1
dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNdYax6O/zeSQF7nRCJ4
bUkX6wCMl+EUkl3CpZbSkpedL7l7Z+RstgR8j+rUmp4MjYFvkXnX30jh12oQAh7p
VOCjbzBtMB0GA1UdDgQWBBTGcyPRYsmJGtrGpQL69XjGuyFbYDAfBgNVHSMEGDAW
gBTGcyPRYsmJGtrGpQL69XjGuyFbYDAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8A
AAEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAUYSgiTGhHdIQ9
tKS9+ux31YsRIHKl8smmqw+MdipTbgIhAI3oewPq4l88mwNiTb+XJHLZmAFgrYHC
DojqmCKLOJS6
-----END CERTIFICATE-----
`;

export const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIjNi0V90ZzUus+4s
UgXcCdIfdCA821ya1ZG8OhbdjfuhRANCAATXWGsejv83kkBe50QieG1JF+sAjJfh
FJJdwqWW0pKXnS+5e2fkbLYEfI/q1JqeDI2Bb5F5199I4ddqEAIe6VTg
-----END PRIVATE KEY-----
`;

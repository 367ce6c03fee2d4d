import CLibcrypto
import TLS

extension TLSPrimitives {
    /// OpenSSL's libcrypto.
    public static let libcrypto = TLSPrimitives(
        hmac: { hash, key, text in
            let kind: OpaquePointer? =
                switch hash {
                case .md5: EVP_md5()
                case .sha1: EVP_sha1()
                case .sha256: EVP_sha256()
                case .sha384: EVP_sha384()
                }
            var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
            var size: UInt32 = 0
            guard HMAC(kind, key, Int32(clamping: key.count), text, text.count, &digest, &size) != nil else { return [] }
            return Array(digest.prefix(Int(size)))
        },
        open: { aead, key, nonce, additional, sealed in
            let size = sealed.count - aead.tagSize
            guard size >= 0, key.count == aead.keySize, nonce.count == 12 else { return nil }
            let isCCM: Bool
            let kind: OpaquePointer?
            switch aead {
            case .aes128GCM: (kind, isCCM) = (EVP_aes_128_gcm(), false)
            case .aes256GCM: (kind, isCCM) = (EVP_aes_256_gcm(), false)
            case .chaCha20Poly1305: (kind, isCCM) = (EVP_chacha20_poly1305(), false)
            case .aes128CCM, .aes128CCM8: (kind, isCCM) = (EVP_aes_128_ccm(), true)
            case .aes256CCM, .aes256CCM8: (kind, isCCM) = (EVP_aes_256_ccm(), true)
            }
            guard let context = EVP_CIPHER_CTX_new() else { return nil }
            defer { EVP_CIPHER_CTX_free(context) }
            guard EVP_DecryptInit_ex(context, kind, nil, nil, nil) == 1 else { return nil }
            var tag = Array(sealed[size...])
            guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, nil) == 1,
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag) == 1,
                EVP_DecryptInit_ex(context, nil, nil, key, nonce) == 1
            else { return nil }
            var count: Int32 = 0
            // CCM wants to know the length first, and verifies the tag with the text.
            if isCCM, EVP_DecryptUpdate(context, nil, &count, nil, Int32(size)) != 1 { return nil }
            guard EVP_DecryptUpdate(context, nil, &count, additional, Int32(additional.count)) == 1 else { return nil }
            var text = [UInt8](repeating: 0, count: size + 16)
            guard EVP_DecryptUpdate(context, &text, &count, sealed, Int32(size)) == 1, Int(count) == size else { return nil }
            var rest = [UInt8](repeating: 0, count: 16)
            guard isCCM || EVP_DecryptFinal_ex(context, &rest, &count) == 1 else { return nil }
            text.removeLast(16)
            return text
        },
        decryptCBC: { key, vector, blocks in
            guard vector.count == 16, blocks.count.isMultiple(of: 16), key.count == 16 || key.count == 32,
                let context = EVP_CIPHER_CTX_new()
            else { return nil }
            defer { EVP_CIPHER_CTX_free(context) }
            guard EVP_DecryptInit_ex(context, key.count == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc(), nil, key, vector) == 1,
                EVP_CIPHER_CTX_set_padding(context, 0) == 1
            else { return nil }
            var text = [UInt8](repeating: 0, count: blocks.count + 16)
            var count: Int32 = 0
            guard EVP_DecryptUpdate(context, &text, &count, blocks, Int32(clamping: blocks.count)) == 1 else { return nil }
            return Array(text.prefix(Int(count)))
        })
}

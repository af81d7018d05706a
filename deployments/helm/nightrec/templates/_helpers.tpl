{{- define "nightrec.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "nightrec.security" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "nightrec.pull" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "nightrec.client" -}}
- {name: PREFECT_API_URL, value: "http://server:4200/api"}
- {name: PREFECT_UI_URL, value: {{ .Values.url | quote }}}
- {name: NIGHTREC_UI_URL, value: {{ printf "%s/nightrec" .Values.url | quote }}}
- {name: NIGHTREC_CONFIG, value: /etc/nightrec/nightrec.toml}
- {name: NIGHTREC_STORE, value: /srv/nightrec/store}
- name: PREFECT_API_AUTH_STRING
  valueFrom:
    secretKeyRef: {name: {{ .Values.secrets }}, key: auth}
{{- end }}

{{- define "nightrec.volumes" -}}
- name: store
  persistentVolumeClaim: {claimName: {{ .Values.store.existingClaim | default "nightrec-store" }}}
- name: config
  configMap: {name: nightrec-config}
{{- end }}
